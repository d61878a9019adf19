#define _GNU_SOURCE
#include "scan.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARENA_BYTES = 1 << 20, LINEAR_MAX = 8 };

typedef struct {
  const char *bytes;
  size_t count;
} string;

typedef struct {
  uint32_t first, words; /* its first test; the words of `columns` that are not empty, one bit each */
  scan_columns columns;
} filter;

struct scan {
  scan_test *tests;
  size_t test_count, test_limit;
  filter *filters;
  int64_t *counts;
  size_t filter_count, filter_limit;
  string *strings;
  size_t string_limit;
  char **arenas;
  size_t arena_count, arena_used;
};

static void *resized(void *old, size_t bytes) {
  void *new = realloc(old, bytes);
  if (!new) {
    fprintf(stderr, "scan: out of memory\n");
    exit(1);
  }
  return new;
}

scan *scan_new(void) {
  scan *s = memset(resized(NULL, sizeof *s), 0, sizeof *s);
  s->arena_used = ARENA_BYTES;
  return s;
}

void scan_free(scan *s) {
  for (size_t i = 0; i < s->arena_count; i++) free(s->arenas[i]);
  free(s->arenas);
  free(s->strings);
  free(s->counts);
  free(s->filters);
  free(s->tests);
  free(s);
}

/* Copies of texts and elements lie side by side in the order of the filters. */
static void *copied(scan *s, const void *bytes, size_t count) {
  size_t room = (count + 7) & ~(size_t)7;
  if (room > ARENA_BYTES) {
    fprintf(stderr, "scan: a text of %zu bytes\n", count);
    exit(1);
  }
  if (s->arena_used + room > ARENA_BYTES) {
    s->arenas = resized(s->arenas, (s->arena_count + 1) * sizeof *s->arenas);
    s->arenas[s->arena_count++] = resized(NULL, ARENA_BYTES);
    s->arena_used = 0;
  }
  char *copy = s->arenas[s->arena_count - 1] + s->arena_used;
  s->arena_used += room;
  return memcpy(copy, bytes, count);
}

void scan_string(scan *s, uint32_t code, const void *bytes, size_t count) {
  if (code >= s->string_limit) {
    size_t limit = (size_t)code * 2 + 1024;
    s->strings = resized(s->strings, limit * sizeof *s->strings);
    memset(s->strings + s->string_limit, 0, (limit - s->string_limit) * sizeof *s->strings);
    s->string_limit = limit;
  }
  s->strings[code] = (string){bytes, count};
}

static void grow(scan *s, size_t tests) {
  if (s->test_count + tests > s->test_limit) {
    s->test_limit = (s->test_count + tests) * 2;
    s->tests = resized(s->tests, s->test_limit * sizeof *s->tests);
  }
  if (s->filter_count == s->filter_limit) {
    s->filter_limit = s->filter_limit * 2 + 1024;
    s->filters = resized(s->filters, s->filter_limit * sizeof *s->filters);
    s->counts = resized(s->counts, s->filter_limit * sizeof *s->counts);
  }
}

void scan_add(scan *s, const scan_test *tests, size_t count) {
  grow(s, count);
  filter made = {.first = (uint32_t)s->test_count};
  for (size_t i = 0; i < count; i++) {
    scan_test test = tests[i];
    if (test.kind == SCAN_IN) test.elements = copied(s, test.elements, test.count * sizeof *test.elements);
    if (test.kind == SCAN_PREFIX || test.kind == SCAN_CONTAINS) test.text = copied(s, test.text, test.count);
    made.columns.words[test.column / 64] |= (uint64_t)1 << test.column % 64;
    made.words |= 1u << test.column / 64;
    s->tests[s->test_count++] = test;
  }
  s->counts[s->filter_count] = 0;
  s->filters[s->filter_count++] = made;
}

size_t scan_filters(const scan *s) { return s->filter_count; }
int64_t *scan_counts(scan *s) { return s->counts; }

static int is_element(uint64_t cell, const uint64_t *elements, size_t count) {
  if (count <= LINEAR_MAX) {
    for (size_t i = 0; i < count; i++)
      if (elements[i] == cell) return 1;
    return 0;
  }
  size_t low = 0;
  for (size_t high = count; low < high;) {
    size_t middle = (low + high) / 2;
    if (elements[middle] < cell) low = middle + 1;
    else high = middle;
  }
  return low < count && elements[low] == cell;
}

static inline int holds(const scan_test *t, uint64_t cell, const string *strings) {
  switch ((scan_kind)t->kind) {
    case SCAN_EQUAL: return cell == t->value;
    case SCAN_RANGE: return (int64_t)cell >= t->low && (int64_t)cell <= t->high;
    case SCAN_IN: return is_element(cell, t->elements, t->count);
    case SCAN_PREFIX: {
      const string *s = &strings[(uint32_t)cell];
      return s->count >= t->count && !memcmp(s->bytes, t->text, t->count);
    }
    case SCAN_CONTAINS: {
      const string *s = &strings[(uint32_t)cell];
      return s->count >= t->count && memmem(s->bytes, s->count, t->text, t->count) != NULL;
    }
  }
  return 0;
}

static inline int passes(const scan_test *t, const uint64_t *row, const string *strings) {
  for (;;) {
    int next = holds(t, row[t->column], strings) ? t->then : t->otherwise;
    if (next < 0) return next == SCAN_ACCEPT;
    t += next;
  }
}

static inline long turn(scan *s, size_t i, const uint64_t *before, const uint64_t *after) {
  const scan_test *tests = s->tests + s->filters[i].first;
  int was = before && passes(tests, before, s->strings);
  int is = after && passes(tests, after, s->strings);
  s->counts[i] += is - was;
  return is != was;
}

long scan_all(scan *s, const uint64_t *before, const uint64_t *after) {
  long moved = 0;
  for (size_t i = 0; i < s->filter_count; i++) moved += turn(s, i, before, after);
  return moved;
}

static int reads(const filter *f, const scan_columns *changed) {
  for (uint32_t words = f->words; words; words &= words - 1) {
    int word = __builtin_ctz(words);
    if (f->columns.words[word] & changed->words[word]) return 1;
  }
  return 0;
}

long scan_changed(scan *s, const uint64_t *before, const uint64_t *after, size_t width) {
  scan_columns changed = {{0}};
  long moved = 0;
  for (size_t i = 0; i < width; i++) changed.words[i / 64] |= (uint64_t)(before[i] != after[i]) << i % 64;
  for (size_t i = 0; i < s->filter_count; i++)
    if (reads(&s->filters[i], &changed)) moved += turn(s, i, before, after);
  return moved;
}

int64_t scan_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t scan_spent(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

size_t scan_heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
