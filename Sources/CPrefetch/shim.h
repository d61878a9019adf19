#pragma once

/* Asks for the line of an address, which need not be valid, and does not wait for it. */
static inline __attribute__((always_inline)) void cache_prefetch(const void *address) {
  __builtin_prefetch(address);
}
