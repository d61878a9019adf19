#include <string.h>

#include "CTextSearch.h"

/* Whether the bytes are at a place where the first and the last of them are. */
static inline bool has_at(const uint8_t *place, const uint8_t *wanted, size_t length) {
  return memcmp(place, wanted, length) == 0;
}

static bool has_by_byte(const uint8_t *text, size_t places, const uint8_t *wanted, size_t length) {
  size_t last = length - 1;
  for (size_t at = 0; at < places; at++)
    if (text[at] == wanted[0] && text[at + last] == wanted[last] && has_at(text + at, wanted, length)) return true;
  return false;
}

/* Of at least 8 places; the last word may have some of the one before. */
static bool has_by_word(const uint8_t *text, size_t places, const uint8_t *wanted, size_t length) {
  const uint64_t ones = 0x0101010101010101;
  size_t last = length - 1;
  const uint64_t heads = ones * wanted[0], tails = ones * wanted[last];
  for (size_t at = 0;; at = at + 16 <= places ? at + 8 : places - 8) {
    uint64_t head, tail;
    memcpy(&head, text + at, 8);
    memcpy(&tail, text + at + last, 8);
    uint64_t apart = (head ^ heads) | (tail ^ tails);
    /* Not 0 where a byte is. */
    if ((apart - ones) & ~apart & ones << 7 && has_by_byte(text + at, 8, wanted, length)) return true;
    if (at + 8 == places) return false;
  }
}

#if defined(__x86_64__)
#include <emmintrin.h>

/* Of at least 16 places; the last block may have some of the one before. */
static bool has_by_block(const uint8_t *text, size_t places, const uint8_t *wanted, size_t length) {
  size_t last = length - 1;
  const __m128i heads = _mm_set1_epi8((char)wanted[0]), tails = _mm_set1_epi8((char)wanted[last]);
  for (size_t at = 0;; at = at + 32 <= places ? at + 16 : places - 16) {
    __m128i head = _mm_cmpeq_epi8(heads, _mm_loadu_si128((const __m128i *)(text + at)));
    __m128i tail = _mm_cmpeq_epi8(tails, _mm_loadu_si128((const __m128i *)(text + at + last)));
    for (unsigned both = _mm_movemask_epi8(_mm_and_si128(head, tail)); both; both &= both - 1)
      if (has_at(text + at + __builtin_ctz(both), wanted, length)) return true;
    if (at + 16 == places) return false;
  }
}
#endif

bool text_has(const void *text, size_t size, const void *wanted, size_t length) {
  if (size < length) return false;
  size_t places = size - length + 1;
#if defined(__x86_64__)
  if (places >= 16) return has_by_block(text, places, wanted, length);
#endif
  if (places >= 8) return has_by_word(text, places, wanted, length);
  return has_by_byte(text, places, wanted, length);
}
