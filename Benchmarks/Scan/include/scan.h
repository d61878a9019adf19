/* The baseline of the matching figure: standing filters as a good C programmer would scan them. Every filter is
 * a run of tests with jumps (no tree, no calls through pointers), all of them back to back in one array; strings
 * are codes of a dictionary, so that equality is a comparison of integers. One thread. */
#ifndef SCAN_H
#define SCAN_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SCAN_ACCEPT = -1, SCAN_REJECT = -2, SCAN_WORDS = 8 };

typedef enum { SCAN_EQUAL, SCAN_RANGE, SCAN_IN, SCAN_PREFIX, SCAN_CONTAINS } scan_kind;

/* One comparison of a row's cell, and where to go on: a number of tests ahead, or one of the ends above. */
typedef struct {
  uint16_t kind, column;
  int16_t then, otherwise;
  union {
    uint64_t value;              /* EQUAL: the cell, a code or a number */
    int64_t low;                 /* RANGE: both ends belong to it */
    const uint64_t *elements;    /* IN: ascending */
    const char *text;            /* PREFIX, CONTAINS */
  };
  union {
    int64_t high;
    uint64_t count;
  };
} scan_test;

/* Which columns differ, or are read: 512 bits. */
typedef struct {
  uint64_t words[SCAN_WORDS];
} scan_columns;

typedef struct scan scan;

scan *scan_new(void);
void scan_free(scan *s);

/* The bytes of a string's code; they must stay where they are. */
void scan_string(scan *s, uint32_t code, const void *bytes, size_t count);

/* Appends a filter; elements and texts are copied. */
void scan_add(scan *s, const scan_test *tests, size_t count);
size_t scan_filters(const scan *s);
int64_t *scan_counts(scan *s);

/* Evaluates every filter for the row before and after (NULL: there is none) and brings its count up to date.
 * Returns how many filters the row entered or left. */
long scan_all(scan *s, const uint64_t *before, const uint64_t *after);

/* The same, but for filters that read no changed column. Both rows are there. */
long scan_changed(scan *s, const uint64_t *before, const uint64_t *after, size_t width);

/* Nanoseconds of the monotonic clock. */
int64_t scan_now(void);
/* Nanoseconds of processor time of this thread: what other programs take does not count. */
int64_t scan_spent(void);
/* Bytes of the heap that are in use. */
size_t scan_heap_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
