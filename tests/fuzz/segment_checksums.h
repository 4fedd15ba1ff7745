// What who can write a node's disk can do: any content under checksums that fit.
#pragma once

#include "common/base/bytes.h"

namespace holdfast::fuzz {

// Makes the checksums of the segment's header, of each record and of its header fit their bytes.
// Records are found by their magic, at multiples of 8, one behind the other where lengths allow.
void fit_segment_checksums(Bytes& segment);

}  // namespace holdfast::fuzz
