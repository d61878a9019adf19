#include "CSimdJSON.h"

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

using simdjson::dom::element;
using simdjson::dom::element_type;

// The calls of a member's reading are most of what it costs.
#define INLINE inline __attribute__((always_inline))

namespace {

// The given names in an open hash table, at most a quarter full. It holds a schema's names only, so a poor spread
// cannot be brought about from outside.
class Names {
 public:
  Names(const uint8_t *bytes, const uint32_t *counts, size_t count) {
    size_t size = 16;
    while (size < count * 4) size *= 2;
    places_.assign(size, Place{"", {}, -1});
    guesses_.assign(count, 0);
    for (size_t number = 0; number < count; number++) {
      std::string name(reinterpret_cast<const char *>(bytes), counts[number]);
      bytes += counts[number];
      const std::string padded = name + std::string(8, ' ');
      const Ends ends(std::string_view(padded.data(), name.size()));
      size_t at = ends.hash() & (size - 1);
      while (places_[at].number >= 0) at = (at + 1) & (size - 1);
      places_[at] = Place{std::move(name), ends, intptr_t(number)};
    }
  }

  // -1: none of them. What stood at that position in the last object is tried first: most writers keep an order.
  INLINE intptr_t find(std::string_view name, size_t position) {
    const Ends ends(name);
    size_t unused = 0;
    size_t &guess = position < guesses_.size() ? guesses_[position] : unused;
    if (!places_[guess].is(name, ends)) {
      const size_t mask = places_.size() - 1;
      size_t at = ends.hash() & mask;
      while (places_[at].number >= 0 && !places_[at].is(name, ends)) at = (at + 1) & mask;
      if (places_[at].number < 0) return -1;
      guess = at;
    }
    return places_[guess].number;
  }

 private:
  // The first and the last eight bytes: of a name of at most 16, and with its length, all there is to compare.
  struct Ends {
    uint64_t first = 0, last = 0;
    uint32_t count = 0;

    Ends() = default;
    // Eight bytes of the name can be read, however short it is: simdjson's strings have space behind them.
    explicit Ends(std::string_view name) : count(uint32_t(name.size())) {
      memcpy(&first, name.data(), 8);
      if (count >= 8) {
        memcpy(&last, name.data() + count - 8, 8);
      } else {
        first &= (uint64_t(1) << count * 8) - 1;
      }
    }
    size_t hash() const { return ((first * 0x9E3779B97F4A7C15u) ^ (last * 0xD6E8FEB86659FD93u) ^ count) >> 40; }
  };
  struct Place {
    std::string name;
    Ends ends;
    intptr_t number;

    bool is(std::string_view other, const Ends &others) const {
      return ends.first == others.first && ends.last == others.last && ends.count == others.count && number >= 0 &&
             (others.count <= 16 || name == other);
    }
  };
  std::vector<Place> places_;
  std::vector<size_t> guesses_;
};

}  // namespace

struct belfry_json_parser {
  belfry_json_parser(
      const uint8_t *names, const uint32_t *name_counts, size_t names_count, size_t depth_max, bool keeps_others)
      : names_(names, name_counts, names_count), depth_max_(depth_max), keeps_others_(keeps_others),
        values_(names_count), found_(names_count) {}

  belfry_json_outcome parse(const uint8_t *bytes, size_t count, belfry_json_members &members) {
    forget(members);
    error_ = load(bytes, count);
    if (error_) return BELFRY_JSON_MALFORMED;
    // Without a backslash there is no U+0000 in a string: raw, it is refused as any control character.
    has_escapes_ = memchr(bytes, '\\', count) != nullptr;
    if (has_escapes_ || !read_flat(members)) {
      forget(members);
      error_ = implementation_->stage2(document_);
      if (error_) return BELFRY_JSON_MALFORMED;
      simdjson::dom::object object;
      const bool is_object = document_.root().get(object) == simdjson::SUCCESS;
      if (!is_object) return refuse(document_.root(), members);
      error_ = read(object, members);
      if (error_) return BELFRY_JSON_MALFORMED;
    }
    members.others = others_.data();
    members.others_count = others_.size();
    return BELFRY_JSON_PARSED;
  }

  const char *error() const { return simdjson::error_message(error_); }

 private:
  Names names_;
  const size_t depth_max_;
  const bool keeps_others_;
  // simdjson's two stages: the first finds where each name, value and sign begins, the second makes the document.
  std::unique_ptr<simdjson::internal::dom_parser_implementation> implementation_;
  simdjson::dom::document document_;
  // The text with the space behind it that simdjson reads in.
  std::unique_ptr<uint8_t[]> text_;
  size_t capacity_ = 0;
  std::vector<belfry_json_value> values_;
  std::vector<intptr_t> found_;
  std::vector<belfry_json_node> others_;
  bool has_escapes_ = false;
  simdjson::error_code error_ = simdjson::SUCCESS;

  void forget(belfry_json_members &members) {
    for (size_t index = 0; index < members.found_count; index++) {
      values_[found_[index]].kind = BELFRY_JSON_MISSING;
    }
    members = {values_.data(), found_.data(), 0, nullptr, 0, BELFRY_JSON_OBJECT};
    others_.clear();
  }

  // The first stage, which checks UTF-8 and control characters, too.
  simdjson::error_code load(const uint8_t *bytes, size_t count) {
    if (count > capacity_ || capacity_ == 0) {
      if (auto error = grow(count)) return error;
    }
    memcpy(text_.get(), bytes, count);
    return implementation_->stage1(text_.get(), count, simdjson::stage1_mode::regular);
  }

  simdjson::error_code grow(size_t count) {
    size_t capacity = 1024;
    while (capacity < count) capacity *= 2;
    capacity_ = 0;
    text_.reset(new (std::nothrow) uint8_t[capacity + simdjson::SIMDJSON_PADDING]());
    if (!text_) return simdjson::MEMALLOC;
    if (auto error = document_.allocate(capacity)) return error;
    implementation_.reset();
    const auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        capacity, depth_max_, implementation_);
    if (error) return error;
    capacity_ = capacity;
    return simdjson::SUCCESS;
  }

  // An object as most events are, read where it stands: strings without escapes, whole numbers of up to 18 digits,
  // true, false and null, nothing inside one another. False: it is another text, and perhaps no JSON at all.
  bool read_flat(belfry_json_members &members) {
    const uint32_t *at = implementation_->structural_indexes.get();
    const uint32_t *const last = at + implementation_->n_structural_indexes - 1;
    const uint8_t *const text = text_.get();
    if (at == last || text[*at] != '{' || text[*last] != '}') return false;
    bool has_null = false;
    size_t position = 0;
    for (at++; at != last; at += text[at[3]] == ',' ? 4 : 3) {
      // A name, a colon, a value; then a comma and the next name, or the end.
      if (last - at < 3 || text[at[1]] != ':') return false;
      if (text[at[3]] == ',' ? last - at < 7 : at + 3 != last) return false;
      std::string_view name;
      belfry_json_value value;
      if (!string(at[0], at[1], name) || !scalar(at[2], at[3], value)) return false;
      const intptr_t number = names_.find(name, position++);
      if (number < 0) {
        if (keeps_others_) {
          others_.push_back({reinterpret_cast<const uint8_t *>(name.data()), uint32_t(name.size()), 1, value});
        }
        continue;
      }
      if (values_[number].kind == BELFRY_JSON_MISSING) found_[members.found_count++] = number;
      values_[number] = value;
      has_null |= value.kind == BELFRY_JSON_NULL;
    }
    if (has_null) drop_nulls(members);
    return true;
  }

  // The end of what began before `next`, where the next thing begins: between them is blank space only.
  INLINE const uint8_t *end_before(uint32_t next) const {
    const uint8_t *end = text_.get() + next;
    while (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t') end--;
    return end;
  }

  INLINE bool string(uint32_t start, uint32_t next, std::string_view &to) const {
    const uint8_t *const from = text_.get() + start;
    const uint8_t *const end = end_before(next);
    if (*from != '"' || end - from < 2 || end[-1] != '"') return false;
    to = {reinterpret_cast<const char *>(from + 1), size_t(end - from - 2)};
    return true;
  }

  INLINE bool scalar(uint32_t start, uint32_t next, belfry_json_value &value) const {
    const uint8_t *const from = text_.get() + start;
    if (*from == '"') {
      std::string_view text;
      if (!string(start, next, text)) return false;
      value = {uint64_t(reinterpret_cast<uintptr_t>(text.data())), uint32_t(text.size()), BELFRY_JSON_STRING};
      return true;
    }
    const std::string_view word(reinterpret_cast<const char *>(from), size_t(end_before(next) - from));
    if (*from == '-' || (*from >= '0' && *from <= '9')) return integer(word, value);
    if (word == "null") return value = {0, 0, BELFRY_JSON_NULL}, true;
    if (word == "true") return value = {1, 0, BELFRY_JSON_BOOL}, true;
    if (word == "false") return value = {0, 0, BELFRY_JSON_BOOL}, true;
    return false;
  }

  INLINE static bool integer(std::string_view word, belfry_json_value &value) {
    const bool is_negative = word[0] == '-';
    if (is_negative) word.remove_prefix(1);
    if (word.empty() || word.size() > 18 || (word[0] == '0' && word.size() > 1)) return false;
    uint64_t number = 0;
    for (; word.size() >= 8; word.remove_prefix(8)) {
      uint64_t digits;
      memcpy(&digits, word.data(), 8);
      if (!are_digits(digits)) return false;
      number = number * 100'000'000 + eight(digits);
    }
    for (const char digit : word) {
      if (digit < '0' || digit > '9') return false;
      number = number * 10 + uint64_t(digit - '0');
    }
    value = {is_negative ? 0 - number : number, 0, BELFRY_JSON_INTEGER};
    return true;
  }

  // Eight bytes at once, the first the lowest.
  static bool are_digits(uint64_t bytes) {
    return ((bytes & 0xF0F0F0F0F0F0F0F0) | (((bytes + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0) >> 4)) ==
           0x3333333333333333;
  }

  static uint64_t eight(uint64_t digits) {
    digits -= 0x3030303030303030;
    digits = digits * 10 + (digits >> 8);
    return (((digits & 0x000000FF000000FF) * 0x000F424000000064 +
             ((digits >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >> 32);
  }

  belfry_json_outcome refuse(element root, belfry_json_members &members) {
    belfry_json_value value = {};
    error_ = read(root, value);
    members.kind = belfry_json_kind(value.kind);
    return error_ ? BELFRY_JSON_MALFORMED : BELFRY_JSON_NO_OBJECT;
  }

  simdjson::error_code read(simdjson::dom::object object, belfry_json_members &members) {
    bool has_null = false;
    size_t position = 0;
    for (auto [name, from] : object) {
      if (auto error = check(name)) return error;
      const intptr_t number = names_.find(name, position++);
      if (number < 0) {
        if (auto error = keeps_others_ ? keep(name, from) : check(from)) return error;
        continue;
      }
      belfry_json_value &value = values_[number];
      if (value.kind == BELFRY_JSON_MISSING) found_[members.found_count++] = number;
      if (auto error = read(from, value)) return error;
      has_null |= value.kind == BELFRY_JSON_NULL;
    }
    if (has_null) drop_nulls(members);
    return simdjson::SUCCESS;
  }

  void drop_nulls(belfry_json_members &members) {
    size_t kept = 0;
    for (size_t index = 0; index < members.found_count; index++) {
      const intptr_t number = found_[index];
      if (values_[number].kind == BELFRY_JSON_NULL) {
        values_[number].kind = BELFRY_JSON_MISSING;
      } else {
        found_[kept++] = number;
      }
    }
    members.found_count = kept;
  }

  // One value; what lies inside an array or object is only checked.
  simdjson::error_code read(element from, belfry_json_value &value) {
    value.count = 0;
    switch (from.type()) {
      case element_type::STRING: {
        const std::string_view text = from.get_string().value_unsafe();
        value = {uint64_t(reinterpret_cast<uintptr_t>(text.data())), uint32_t(text.size()), BELFRY_JSON_STRING};
        return check(text);
      }
      case element_type::INT64:
        value = {uint64_t(from.get_int64().value_unsafe()), 0, BELFRY_JSON_INTEGER};
        return simdjson::SUCCESS;
      case element_type::UINT64: return simdjson::NUMBER_OUT_OF_RANGE;
      case element_type::DOUBLE: {
        const double real = from.get_double().value_unsafe();
        value.kind = BELFRY_JSON_REAL;
        memcpy(&value.bits, &real, sizeof real);
        return simdjson::SUCCESS;
      }
      case element_type::BOOL:
        value = {uint64_t(from.get_bool().value_unsafe()), 0, BELFRY_JSON_BOOL};
        return simdjson::SUCCESS;
      case element_type::OBJECT: value.kind = BELFRY_JSON_OBJECT; return check(from);
      case element_type::ARRAY: value.kind = BELFRY_JSON_ARRAY; return check(from);
      case element_type::NULL_VALUE: value.kind = BELFRY_JSON_NULL; return simdjson::SUCCESS;
    }
    return simdjson::UNEXPECTED_ERROR;
  }

  // A member or element and all that lies inside it, as nodes. As deep as simdjson lets a text be.
  simdjson::error_code keep(std::string_view name, element from) {
    const size_t at = others_.size();
    others_.push_back(
        {reinterpret_cast<const uint8_t *>(name.data()), uint32_t(name.size()), 1, {0, 0, BELFRY_JSON_NULL}});
    uint32_t count = 0;
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (from.get(object) == simdjson::SUCCESS) {
      others_[at].value.kind = BELFRY_JSON_OBJECT;
      for (auto [inner, value] : object) {
        if (auto error = check(inner)) return error;
        if (auto error = keep(inner, value)) return error;
        count++;
      }
    } else if (from.get(array) == simdjson::SUCCESS) {
      others_[at].value.kind = BELFRY_JSON_ARRAY;
      for (element value : array) {
        if (auto error = keep({}, value)) return error;
        count++;
      }
    } else {
      return read(from, others_[at].value);
    }
    others_[at].value.count = count;
    others_[at].extent = uint32_t(others_.size() - at);
    return simdjson::SUCCESS;
  }

  // What simdjson takes and we do not: U+0000, integers from 2^63 on.
  simdjson::error_code check(std::string_view text) const {
    const bool has_zero = has_escapes_ && memchr(text.data(), 0, text.size()) != nullptr;
    return has_zero ? simdjson::STRING_ERROR : simdjson::SUCCESS;
  }

  simdjson::error_code check(element value) const {
    switch (value.type()) {
      case element_type::STRING: return check(value.get_string().value_unsafe());
      case element_type::UINT64: return simdjson::NUMBER_OUT_OF_RANGE;
      case element_type::OBJECT:
        for (auto [name, inner] : value.get_object().value_unsafe()) {
          if (auto error = check(name)) return error;
          if (auto error = check(inner)) return error;
        }
        return simdjson::SUCCESS;
      case element_type::ARRAY:
        for (element inner : value.get_array().value_unsafe()) {
          if (auto error = check(inner)) return error;
        }
        return simdjson::SUCCESS;
      default: return simdjson::SUCCESS;
    }
  }
};

belfry_json_parser *belfry_json_make(
    const uint8_t *names, const uint32_t *name_counts, size_t names_count, size_t depth_max, int keeps_others) {
  return new belfry_json_parser(names, name_counts, names_count, depth_max, keeps_others != 0);
}

void belfry_json_free(belfry_json_parser *parser) { delete parser; }

belfry_json_outcome belfry_json_parse(
    belfry_json_parser *parser, const uint8_t *bytes, size_t count, belfry_json_members *members) {
  return parser->parse(bytes, count, *members);
}

const char *belfry_json_error(const belfry_json_parser *parser) { return parser->error(); }
