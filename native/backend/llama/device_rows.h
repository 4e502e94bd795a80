// Owns: rows of logits that stay on the GPU that has computed them, and are read there. Must not know: the host's rows.
// Thread: the scheduler thread.
#pragma once

#include <memory>

#include "backend/llama/output_rows.h"
#include "kernels/device_logits.h"

namespace thinktree {

class DeviceRows : public OutputRows, public TakesLogits {
public:
    // Before each decode: the last one's rows are gone.
    virtual void begin() = 0;
    // Whether this decode's rows were taken; if not, they are in the host's memory.
    virtual bool taken() const = 0;
};

// Of a model with so many tokens. Null in a build without our kernels for a GPU, and where these cannot read such rows.
std::unique_ptr<DeviceRows> make_device_rows(int64_t n_vocab);

}  // namespace thinktree
