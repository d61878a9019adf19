#include "CGrams.h"

static uint64_t places_by_byte(const struct gram_groups *groups, const uint8_t *text, size_t places) {
  uint64_t bits = 0;
  for (size_t i = 0; i < places; i++) {
    unsigned left = 0xff;
    for (int j = 0; j < 4; j++) left &= groups->low[j][text[i + j] & 15] & groups->high[j][text[i + j] >> 4];
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
  for (int j = 0; j < 4; j++) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(text + j));
    __m128i upper = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
    __m128i groups = _mm_and_si128(
        _mm_shuffle_epi8(low[j], _mm_and_si128(bytes, half)), _mm_shuffle_epi8(high[j], upper));
    left = _mm_and_si128(left, groups);
  }
  return ~_mm_movemask_epi8(_mm_cmpeq_epi8(left, _mm_setzero_si128())) & 0xffff;
}

/* Of at least 16 places; the last block may have some of the one before. */
SSSE3 static uint64_t places_by_block(const struct gram_groups *groups, const uint8_t *text, size_t places) {
  __m128i low[4], high[4];
  for (int j = 0; j < 4; j++) {
    low[j] = _mm_loadu_si128((const __m128i *)groups->low[j]);
    high[j] = _mm_loadu_si128((const __m128i *)groups->high[j]);
  }
  uint64_t bits = 0;
  for (size_t at = 0; at + 16 <= places; at += 16) bits |= block(low, high, text + at) << at;
  if (places % 16) bits |= block(low, high, text + places - 16) << (places - 16);
  return bits;
}
#endif

uint64_t gram_places(const struct gram_groups *groups, const void *text, size_t places) {
#if defined(__x86_64__)
  if (places >= 16 && __builtin_cpu_supports("ssse3")) return places_by_block(groups, text, places);
#endif
  return places_by_byte(groups, text, places);
}

void gram_add(struct gram_groups *groups, const void *gram, unsigned group) {
  const uint8_t *bytes = gram;
  for (int j = 0; j < 4; j++) {
    groups->low[j][bytes[j] & 15] |= 1 << group;
    groups->high[j][bytes[j] >> 4] |= 1 << group;
  }
}
