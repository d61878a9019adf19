/* The standing counts of the end-to-end figure: drawn once, written as SQL for Belfry (load.c) and compiled by
 * the peer (peer.cpp). Each filter is an OR of one to three groups, each an AND of one to three comparisons. */
#ifndef FILTERS_H
#define FILTERS_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 3, GROUPS_MAX = 3, LIST_MAX = 8, WORD_BYTES = 40, FILTER_BYTES = 2048 };

/* The columns that filters read, of those that events carry (load.c writes them) and Tally. */
enum { NODE, ALERT_GROUP, ALERT_KEY, SERVICE, SUMMARY, SEVERITY, CLASS, TALLY, READ_COLUMNS };
static const char *const column_names[READ_COLUMNS] = {"Node",    "AlertGroup", "AlertKey", "Service",
                                                       "Summary", "Severity",   "Class",    "Tally"};
static const char *const alert_groups[] = {"Link", "BGP", "Optics", "Power", "CPU", "Disk", "Process", "Fan"};
static const char *const alert_services[] = {"backbone", "access", "voice", "video", "hosting"};

enum comparison { IS, AMONG, BEGINS, HOLDS, IS_NUMBER, AT_LEAST };

struct part {
  int column;
  enum comparison comparison;
  int count; /* words: of AMONG several, else one */
  char words[LIST_MAX][WORD_BYTES];
  int64_t number;
};

struct condition {
  int groups, parts[GROUPS_MAX];
  struct part part[GROUPS_MAX][PARTS_MAX];
};

/* splitmix64: the same filters from the same seed. */
static inline uint64_t draw(uint64_t *state, uint64_t limit) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint64_t)(((unsigned __int128)(z ^ z >> 31) * limit) >> 64);
}

static inline struct part *new_part(struct condition *c, int column, enum comparison comparison) {
  struct part *p = &c->part[c->groups - 1][c->parts[c->groups - 1]++];
  memset(p, 0, sizeof *p);
  p->column = column;
  p->comparison = comparison;
  return p;
}

static inline char *new_word(struct part *p) { return p->words[p->count++]; }

static inline void node(struct condition *c, uint64_t *state, uint64_t nodes, int count) {
  struct part *p = new_part(c, NODE, count > 1 ? AMONG : IS);
  while (p->count < count) snprintf(new_word(p), WORD_BYTES, "core-%06u", (unsigned)draw(state, nodes));
}

static inline void node_prefix(struct condition *c, uint64_t *state, uint64_t nodes) {
  struct part *p = new_part(c, NODE, BEGINS);
  snprintf(new_word(p), WORD_BYTES, "core-%05u", (unsigned)(draw(state, nodes) / 10));
}

static inline void word(struct condition *c, int column, const char *text) {
  snprintf(new_word(new_part(c, column, IS)), WORD_BYTES, "%s", text);
}

static inline void key(struct condition *c, uint64_t *state) {
  char text[WORD_BYTES];
  snprintf(text, sizeof text, "port-%u", (unsigned)draw(state, 20));
  word(c, ALERT_KEY, text);
}

static inline void number(struct condition *c, int column, enum comparison comparison, int64_t value) {
  new_part(c, column, comparison)->number = value;
}

static inline void severity(struct condition *c, uint64_t *state) {
  number(c, SEVERITY, AT_LEAST, (int64_t)(2 + draw(state, 4)));
}

static inline void summary(struct condition *c, uint64_t *state) {
  struct part *p = new_part(c, SUMMARY, HOLDS);
  snprintf(new_word(p), WORD_BYTES, "value %u", (unsigned)draw(state, 10000));
}

/* A filter of mixed selectivity over events of `rows` rows. */
static inline void draw_condition(struct condition *c, uint64_t *state, uint64_t rows) {
  uint64_t nodes = rows / 20 + 1, kind = draw(state, 100);
  memset(c, 0, sizeof *c);
  c->groups = 1;
  if (kind < 30) {
    node(c, state, nodes, 1);
    severity(c, state);
  } else if (kind < 45) {
    node(c, state, nodes, 1);
    key(c, state);
  } else if (kind < 60) {
    node(c, state, nodes, (int)(3 + draw(state, 6)));
    severity(c, state);
  } else if (kind < 70) {
    node_prefix(c, state, nodes);
    severity(c, state);
    word(c, SERVICE, alert_services[draw(state, 5)]);
  } else if (kind < 75) {
    summary(c, state);
    severity(c, state);
  } else if (kind < 85) {
    node_prefix(c, state, nodes);
    number(c, TALLY, AT_LEAST, (int64_t)(2 + draw(state, 30)));
  } else if (kind < 90) {
    word(c, ALERT_GROUP, alert_groups[draw(state, 8)]);
    key(c, state);
    number(c, TALLY, AT_LEAST, (int64_t)(2 + draw(state, 100)));
  } else {
    node(c, state, nodes, 1);
    c->groups++;
    node_prefix(c, state, nodes);
    number(c, SEVERITY, IS_NUMBER, 5);
    c->groups++;
    node(c, state, nodes, 2);
    number(c, CLASS, IS_NUMBER, (int64_t)(300 + draw(state, 8)));
  }
}
#endif
