// Owns: what is asked of a decode's rows of logits, wherever they lie: in the host's memory (host_rows.h) or on the GPU
// that has computed them (device_rows.h). Must not know: what the rows are for. Thread: the scheduler thread.
#pragma once

#include <span>

#include "sampling/row_reader.h"

namespace thinktree {

class OutputRows {
public:
    virtual ~OutputRows() = default;
    // Waits for the decode. False if the rows cannot be read; then there are no answers.
    virtual bool read(std::span<const Ask> asks) = 0;
    // In the order of the asks; valid until the next decode.
    virtual std::span<const Answer> answers() const = 0;
    // One row in the host's memory, valid until the next decode.
    virtual const float * row(int32_t index) = 0;
};

}  // namespace thinktree
