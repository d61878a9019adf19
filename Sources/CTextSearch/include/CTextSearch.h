#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of grams of one to four bytes that may say yes to one that is not in it. Most grams of a text are in no pattern, and
   a look here is cheaper than one into a table: sixteen places at a time, by the halves of their bytes, then those that are
   left, by two bits of a hash. The first is the idea of Teddy, in Hyperscan. */
struct gram_sieve;

enum { GRAM_MAX = 4 };

/* With room for so many grams, a power of two, at least 8. NULL: there is no memory. */
struct gram_sieve *gram_sieve_new(size_t grams);
void gram_sieve_free(struct gram_sieve *sieve);
void gram_sieve_add(struct gram_sieve *sieve, uint64_t key);
bool gram_sieve_may_have(const struct gram_sieve *sieve, uint64_t key);

/* A bit for each of 1 to 64 places of a text where a gram of this size is whole: set where one of the sieve's may begin. */
uint64_t gram_sieve_places(const struct gram_sieve *sieve, const void *text, size_t places, size_t size);

/* Of a gram, or of any one to seven bytes: they, the first one the highest, and how many they are in the highest byte. */
static inline uint64_t gram_key(const void *gram, size_t size) {
  const uint8_t *bytes = (const uint8_t *)gram;
  uint64_t key = 0;
  if (size == GRAM_MAX) {  /* nearly all, and one load */
    key = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
  } else {
    for (size_t i = 0; i < size; i++) key = key << 8 | bytes[i];
  }
  return key | (uint64_t)size << 56;
}

/* Whether a text has these bytes, at least one, somewhere. */
bool text_has(const void *text, size_t size, const void *wanted, size_t length);
