#include <assert.h>
#include <stdlib.h>

#include "CTextSearch.h"

struct gram_sieve {
  /* For each of a gram's four bytes, by its low and by its high half, which of eight groups have a gram with such a byte
     there. */
  uint8_t low[GRAM_MAX][16];
  uint8_t high[GRAM_MAX][16];
  unsigned shift;
  uint64_t words[];
};

enum { BITS_OF_GRAM = 16, BITS_OF_WORD = 64 };

struct gram_sieve *gram_sieve_new(size_t grams) {
  size_t words = grams * BITS_OF_GRAM / BITS_OF_WORD;
  assert(words > 1);
  struct gram_sieve *sieve = calloc(1, sizeof *sieve + words * sizeof *sieve->words);
  if (sieve) sieve->shift = BITS_OF_WORD - __builtin_ctzl(words);
  return sieve;
}

void gram_sieve_free(struct gram_sieve *sieve) { free(sieve); }

static inline uint64_t hash_of(uint64_t key) { return key * 0x9E3779B97F4A7C15; }
static inline uint64_t bits_of(uint64_t hash) { return 1ull << (hash >> 32 & 63) | 1ull << (hash >> 26 & 63); }

static inline bool may_have(const struct gram_sieve *sieve, uint64_t key) {
  uint64_t hash = hash_of(key), bits = bits_of(hash);
  return (sieve->words[hash >> sieve->shift] & bits) == bits;
}

bool gram_sieve_may_have(const struct gram_sieve *sieve, uint64_t key) { return may_have(sieve, key); }

/* A group has few of the bytes that there are in one place at least; many of them would let each other's pass. */
static unsigned group_of(const uint8_t *gram) { return gram[1] % 8; }

void gram_sieve_add(struct gram_sieve *sieve, uint64_t key) {
  uint64_t hash = hash_of(key);
  sieve->words[hash >> sieve->shift] |= bits_of(hash);
  if (key >> 56 != GRAM_MAX) return;
  const uint8_t bytes[GRAM_MAX] = {key >> 24, key >> 16, key >> 8, key};
  unsigned group = group_of(bytes);
  for (int i = 0; i < GRAM_MAX; i++) {
    sieve->low[i][bytes[i] & 15] |= 1 << group;
    sieve->high[i][bytes[i] >> 4] |= 1 << group;
  }
}

static uint64_t places_by_byte(const struct gram_sieve *sieve, const uint8_t *text, size_t places) {
  uint64_t bits = 0;
  for (size_t i = 0; i < places; i++) {
    unsigned left = 0xff;
    for (int j = 0; j < GRAM_MAX; j++) left &= sieve->low[j][text[i + j] & 15] & sieve->high[j][text[i + j] >> 4];
    bits |= (uint64_t)(left != 0) << i;
  }
  return bits;
}

#if defined(__x86_64__)
#include <tmmintrin.h>

#define SSSE3 __attribute__((target("ssse3")))

SSSE3 static inline uint64_t block(const __m128i *low, const __m128i *high, const uint8_t *text) {
  const __m128i half = _mm_set1_epi8(15);
  __m128i left = _mm_set1_epi8(-1);
  for (int j = 0; j < GRAM_MAX; j++) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(text + j));
    __m128i upper = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
    __m128i groups = _mm_and_si128(
        _mm_shuffle_epi8(low[j], _mm_and_si128(bytes, half)), _mm_shuffle_epi8(high[j], upper));
    left = _mm_and_si128(left, groups);
  }
  return ~_mm_movemask_epi8(_mm_cmpeq_epi8(left, _mm_setzero_si128())) & 0xffff;
}

/* Of at least 16 places; the last block may have some of the one before. */
SSSE3 static uint64_t places_by_block(const struct gram_sieve *sieve, const uint8_t *text, size_t places) {
  __m128i low[GRAM_MAX], high[GRAM_MAX];
  for (int j = 0; j < GRAM_MAX; j++) {
    low[j] = _mm_loadu_si128((const __m128i *)sieve->low[j]);
    high[j] = _mm_loadu_si128((const __m128i *)sieve->high[j]);
  }
  uint64_t bits = 0;
  for (size_t at = 0; at + 16 <= places; at += 16) bits |= block(low, high, text + at) << at;
  if (places % 16) bits |= block(low, high, text + places - 16) << (places - 16);
  return bits;
}
#endif

static uint64_t places_by_halves(const struct gram_sieve *sieve, const uint8_t *text, size_t places) {
#if defined(__x86_64__)
  if (places >= 16 && __builtin_cpu_supports("ssse3")) return places_by_block(sieve, text, places);
#endif
  return places_by_byte(sieve, text, places);
}

/* Of these places, those where the hash says yes. No jump depends on it: it would be guessed wrong. */
static inline uint64_t pass(const struct gram_sieve *sieve, const uint8_t *text, uint64_t places, size_t size) {
  uint64_t passed = 0;
  for (; places; places &= places - 1) {
    unsigned at = __builtin_ctzll(places);
    passed |= (uint64_t)may_have(sieve, gram_key(text + at, size)) << at;
  }
  return passed;
}

uint64_t gram_sieve_places(const struct gram_sieve *sieve, const void *text, size_t places, size_t size) {
  if (size == GRAM_MAX) return pass(sieve, text, places_by_halves(sieve, text, places), GRAM_MAX);
  return pass(sieve, text, ~0ull >> (64 - places), size);
}
