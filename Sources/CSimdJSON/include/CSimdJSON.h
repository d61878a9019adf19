// A JSON object parsed whole by simdjson, as flat arrays: the members with given names by the number of their
// name, all others one after the other. One call an object; nothing is allocated in it once the parser has grown.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  BELFRY_JSON_MISSING = 0,  // no such member; of the members with given names, also null
  BELFRY_JSON_NULL,
  BELFRY_JSON_STRING,
  BELFRY_JSON_INTEGER,
  BELFRY_JSON_REAL,
  BELFRY_JSON_BOOL,
  BELFRY_JSON_OBJECT,
  BELFRY_JSON_ARRAY,
} belfry_json_kind;

typedef struct {
  uint64_t bits;   // an integer's or a real's bits, a bool as 0 or 1, the address of a string's bytes
  uint32_t count;  // a string's bytes (valid UTF-8 without U+0000); an object's or array's direct children
  uint32_t kind;   // a belfry_json_kind
} belfry_json_value;

// A member with another name, or what lies inside its value: a value's children follow it.
typedef struct {
  const uint8_t *name;  // valid UTF-8; null for an array's element
  uint32_t name_count;
  uint32_t extent;  // this node and all that lies inside it
  belfry_json_value value;
} belfry_json_node;

// To begin with all 0. The reader may change values of given names, and add a number to `found` whose value was
// missing.
typedef struct {
  belfry_json_value *values;  // by the number of the name
  intptr_t *found;            // the numbers that have a value, in the order of the text, each once
  size_t found_count;
  const belfry_json_node *others;  // doubled names and nulls as the text has them
  size_t others_count;
  belfry_json_kind kind;  // the whole text's
} belfry_json_members;

typedef enum {
  BELFRY_JSON_PARSED = 0,
  BELFRY_JSON_MALFORMED,  // no JSON text as belfry_json_parse takes them
  BELFRY_JSON_NO_OBJECT,  // a JSON text of another kind
} belfry_json_outcome;

typedef struct belfry_json_parser belfry_json_parser;

// `names`: one behind the other, without an end between them. Values more than `depth_max` levels deep are
// refused. `keeps_others`: members with other names are given; otherwise they are only checked.
belfry_json_parser *belfry_json_make(
    const uint8_t *names, const uint32_t *name_counts, size_t names_count, size_t depth_max, int keeps_others);
void belfry_json_free(belfry_json_parser *parser);

// Parses one text (RFC 8259; UTF-8, integers within 64 bits signed, reals within a double's range, no U+0000 in
// strings, no unpaired surrogate, no byte order mark; of doubled names the last wins). The whole text is checked.
// `members`: on entry what the last call left there, or all 0. Points into the parser; valid until its next call.
belfry_json_outcome belfry_json_parse(
    belfry_json_parser *parser, const uint8_t *bytes, size_t count, belfry_json_members *members);

// Why the last text was malformed, in simdjson's words.
const char *belfry_json_error(const belfry_json_parser *parser);

#ifdef __cplusplus
}
#endif
