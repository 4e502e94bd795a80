// Owns: a GGUF file without its weights: whether it may be shown to llama.cpp, and what its metadata say.
// Must not know: models in memory. Thread: any; each file is read by one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/llama/architecture.h"

struct gguf_context;

namespace thinktree {

// Weights of one type.
struct WeightType {
    int64_t tensors = 0;
    int64_t elements = 0;
    uint64_t bytes = 0;
};

// A tensor's dimensions, the innermost first; those it has not are 1.
using TensorShape = std::array<int64_t, 4>;

class GgufFile {
public:
    // Reads the metadata, of all parts of a split model. Throws Error (model_load_failed): what is wrong with the file.
    explicit GgufFile(const std::string & path);
    // Refuses what is known to end the process or to take memory without bound inside llama.cpp, and cannot be caught
    // there (assertions.h). Throws Error (model_load_failed).
    void check(MemoryKind memory) const;

    const std::string & architecture() const { return architecture_; }
    uint64_t bytes() const { return bytes_; }  // of all parts
    const std::map<std::string, WeightType> & weights() const { return weights_; }
    int64_t widest() const { return widest_; }  // the largest dimension of a tensor
    const std::map<std::string, TensorShape> & tensors() const { return tensors_; }  // by name

    // None where there is no such key or its value is of another kind. A key that begins with a dot is the
    // architecture's.
    std::optional<std::string> text(const std::string & key) const;
    std::optional<int64_t> whole(const std::string & key) const;
    std::optional<double> real(const std::string & key) const;
    std::optional<bool> flag(const std::string & key) const;
    std::vector<int64_t> list(const std::string & key) const;      // of whole numbers; a single one is a list of it
    std::optional<int64_t> length(const std::string & key) const;  // of an array of anything
    std::optional<std::string> text_at(const std::string & key, int64_t index) const;  // of an array of texts
    std::vector<std::string> keys() const;

private:
    struct Free {
        void operator()(gguf_context * context) const;
    };
    using Context = std::unique_ptr<gguf_context, Free>;

    Context read(const std::string & path);
    void read_other_parts();
    void check_tensors(const gguf_context * context, uint64_t file_bytes);
    void check_hyperparameters(MemoryKind memory) const;
    void check_vocabulary() const;
    int64_t find(const std::string & key) const;

    std::string path_;
    Context context_;  // of the first part
    std::string architecture_;
    uint64_t bytes_ = 0;
    std::map<std::string, WeightType> weights_;
    int64_t widest_ = 0;
    std::map<std::string, TensorShape> tensors_;
};

}  // namespace thinktree
