#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "common/format/field_scan.h"

namespace holdfast::fuzz {
namespace {

constexpr std::size_t kMostBytes = 8192;  // an input does not grow beyond
constexpr unsigned kMostDepth = 4;        // of messages within messages

std::ptrdiff_t at(std::size_t offset) { return static_cast<std::ptrdiff_t>(offset); }

void put_varint(Bytes& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<Byte>(value | 0x80));
  to.push_back(static_cast<Byte>(value));
}

// A field as it lies in its message; `content` is without key and length where it is delimited.
struct Field {
  ByteView whole;
  std::uint32_t number;
  bool is_delimited;
  ByteView content;
};

// nullopt if it is no message.
std::optional<std::vector<Field>> fields_of(ByteView message) {
  constexpr std::size_t kMostFields = 256;
  std::vector<Field> fields;
  format::FieldScan scan(message);
  std::size_t begin = 0;
  while (const auto field = scan.next()) {
    const std::size_t end = message.size() - scan.rest().size();
    fields.push_back(
        {message.subspan(begin, end - begin), field->number, field->is_delimited, field->content});
    begin = end;
    if (fields.size() > kMostFields) return std::nullopt;
  }
  if (scan.malformed() || fields.empty()) return std::nullopt;
  return fields;
}

}  // namespace

void Mutator::mutate(Bytes& input) {
  if (input.empty()) input.push_back(0);
  for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
    if (below(2) == 0) {
      // A message begins behind the kind, or behind a length or a kind within it.
      const std::size_t begin = std::min<std::size_t>(1 + below(4), input.size());
      Bytes message(input.begin() + at(begin), input.end());
      if (edit_message(message, 0)) {
        input.resize(begin);
        append(input, message);
        continue;
      }
    }
    change_bytes(input, 1);
  }
  if (input.size() > kMostBytes) input.resize(kMostBytes);
}

void Mutator::change_bytes(Bytes& input, std::size_t from) {
  if (input.size() <= from) {
    input.push_back(static_cast<Byte>(below(256)));
    return;
  }
  const std::size_t place = from + below(input.size() - from);
  // Mostly little, sometimes all of the rest.
  const std::size_t most = input.size() - place;
  const std::size_t length = 1 + below(below(4) == 0 ? most : std::min<std::size_t>(most, 8));
  const auto begin = input.begin() + at(place);
  switch (below(8)) {
    case 0:
      input[place] ^= static_cast<Byte>(1U << below(8));
      break;
    case 1:
      input[place] = static_cast<Byte>(below(256));
      break;
    case 2:
      input.insert(begin, 1 + below(4), static_cast<Byte>(below(256)));
      break;
    case 3:
      input.erase(begin, begin + at(length));
      break;
    case 4: {
      const Bytes piece(begin, begin + at(length));
      input.insert(input.begin() + at(from + below(input.size() - from)), piece.begin(),
                   piece.end());
      break;
    }
    case 5:
      std::memmove(input.data() + from + below(input.size() - from - length + 1),
                   input.data() + place, length);
      break;
    case 6:
      put_number(input, from);
      break;
    default:
      take_from_corpus(input, from);
  }
}

// A number of 1, 2, 4 or 8 bytes becomes one at an edge, or moves by a little.
void Mutator::put_number(Bytes& input, std::size_t from) {
  const std::size_t size = std::size_t{1} << below(4);
  if (input.size() < from + size) return;
  const std::size_t place = from + below(input.size() - from - size + 1);
  std::uint64_t value = 0;
  std::memcpy(&value, input.data() + place, size);
  const std::array<std::uint64_t, 12> edges{0,
                                            1,
                                            0x7F,
                                            0x80,
                                            0xFF,
                                            0x7FFF'FFFF,
                                            0x8000'0000,
                                            0xFFFF'FFFF,
                                            ~std::uint64_t{0},
                                            input.size(),
                                            value + 1,
                                            value - 1};
  value = below(3) == 0 ? std::uint64_t{1} << below(64) : edges[below(edges.size())];
  std::memcpy(input.data() + place, &value, size);
}

void Mutator::take_from_corpus(Bytes& input, std::size_t from) {
  const Bytes& other = corpus_[below(corpus_.size())];
  if (other.size() <= from) return;
  const std::size_t begin = from + below(other.size() - from);
  const std::size_t length = 1 + below(other.size() - begin);
  const std::size_t place = from + below(input.size() - from);
  if (below(2) == 0) input.resize(place);  // its head, and the other's tail
  input.insert(input.begin() + at(place), other.begin() + at(begin),
               other.begin() + at(begin + length));
}

// One field of the message, or of a message within, is left out, doubled, moved, changed within or
// given another number; the lengths around it are made to fit. False if it is no message.
bool Mutator::edit_message(Bytes& message, unsigned depth) {
  const auto fields = fields_of(message);
  if (!fields) return false;
  const std::size_t chosen = below(fields->size());
  const std::size_t other = below(fields->size());
  const std::size_t how = below(8);
  Bytes edited;
  edited.reserve(message.size() + 16);
  const auto put = [&](const Field& field, Bytes content) {
    if (!field.is_delimited) {
      // Its key stays, its value becomes another varint.
      put_varint(edited, std::uint64_t{field.number} << 3);
      return put_varint(edited, below(2) == 0 ? below(300) : ~std::uint64_t{0} >> below(64));
    }
    if (depth >= kMostDepth || below(3) == 0 || !edit_message(content, depth + 1))
      change_bytes(content, 0);
    put_varint(edited, std::uint64_t{field.number} << 3 | 2);
    put_varint(edited, content.size());
    append(edited, content);
  };
  for (std::size_t i = 0; i < fields->size(); ++i) {
    const Field& field = (*fields)[i];
    if (i != chosen) {
      append(edited, field.whole);
    } else if (how == 0) {
      continue;
    } else if (how == 1) {
      for (std::size_t copies = 2 + (below(8) == 0 ? below(100) : 0); copies > 0; --copies)
        append(edited, field.whole);
    } else if (how == 2) {
      append(edited, (*fields)[other].whole);
    } else if (how == 3 && !field.whole.empty()) {
      append(edited, field.whole);
      edited[edited.size() - field.whole.size()] =
          static_cast<Byte>((1 + below(15)) << 3 | below(3));
    } else {
      put(field, Bytes(field.content.begin(), field.content.end()));
    }
  }
  message = std::move(edited);
  return true;
}

}  // namespace holdfast::fuzz
