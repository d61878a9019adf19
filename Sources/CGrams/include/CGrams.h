#pragma once

#include <stddef.h>
#include <stdint.h>

/* Many grams of four bytes: for each of the four, by its low and by its high half, which of eight groups have a gram with
   such a byte there. The idea is that of Teddy, in Hyperscan. */
struct gram_groups {
  uint8_t low[4][16];
  uint8_t high[4][16];
};

/* A bit for each of at most 64 places of a text that has three bytes more: set where one of the grams may begin. */
uint64_t gram_places(const struct gram_groups *groups, const void *text, size_t places);

/* Adds a gram to one of the groups, 0 to 7. */
void gram_add(struct gram_groups *groups, const void *gram, unsigned group);
