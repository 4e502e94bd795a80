// Owns: what the engine asks of something that runs a model: tokens in, answers out, a KV cache tagged by sequence.
// Must not know: branches, steps. Two implementations: llama/ (real) and fake/ (deterministic toy).
// Thread: a Context belongs to the scheduler thread. A Model may be read by any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/token.h"
#include "sampling/row_reader.h"

namespace thinktree {

using Pos = int32_t;
using SeqId = int32_t;

struct BatchRow {
    Token token;
    Pos pos;
    SeqId seq;
    bool output;  // keep the logits after this token
};

enum class DecodeStatus {
    ok,
    no_slot,  // the KV cache had no room; nothing changed
    aborted,  // the abort callback said so; rows of this batch may be in the cache and must be removed
    failed,   // likewise
};

struct ContextLimits {
    int32_t cells;      // KV cells of the unified cache
    int32_t positions;  // longest path: the model's trained context, or the cells if fewer
    int32_t batch;      // rows of one decode
    int32_t outputs;    // rows with logits of one decode
    int32_t sequences;  // sequence ids to lease
    // Branches of one decode at most; more go in equal shares. llama.cpp as it comes takes another way from 64 rows on
    // than at 63: docs/decisions/0003.
    int32_t tree_rows;
    // A sequence's memory is a state, which has read all its tokens and cannot go back: what seq_copy's `from` has read
    // is exactly the tokens before `end`, and seq_remove takes all of a sequence. After a decode that was not ok
    // nothing is sound but an empty sequence.
    bool forks_at_ends = false;
    bool tree_attention = false;  // each row is computed against its own path alone: native/kernels
};

// How a KV cache holds its numbers: halves, or 8-bit quants in blocks of 32, which take 17/32 of the memory.
enum class CacheType { f16, q8_0 };

struct ContextOptions {
    int32_t cells = 16384;
    CacheType cache = CacheType::f16;
    bool rewards = false;  // a Reward may be asked for
    int32_t batch = 512;
    int32_t threads = 0;         // 0: as many as the machine has cores
    bool stock_kernels = false;  // llama.cpp's own attention, and logits read in the host's memory
};

// A text is read as one, but special tokens are recognised in a template's words alone: in anybody else's they are
// letters.
struct TextPart {
    std::string text;
    bool is_template;
};
using Text = std::vector<TextPart>;

inline Text template_text(std::string text) { return {{std::move(text), true}}; }
inline Text plain_text(std::string text) { return {{std::move(text), false}}; }

class Context {
public:
    virtual ~Context() = default;
    virtual const ContextLimits & limits() const = 0;
    // Rows of one sequence must come in the order of their positions. The asks are of this decode's output rows: a row
    // is as long as the vocabulary, so it is read where it is computed, by as many threads as there are.
    virtual DecodeStatus decode(std::span<const BatchRow> rows, std::span<const Ask> asks) = 0;
    // To the last decode's asks, in their order; valid until the next.
    virtual std::span<const Answer> answers() const = 0;
    // Whether the last decode's rows were read on the GPU that computed them.
    virtual bool reads_on_device() const { return false; }
    // The logits of the `index`-th output row of the last decode, n_vocab floats, valid until the next: for those that
    // are asked later.
    virtual const float * logits(int32_t index) = 0;
    // As decode, and what logits are made of is kept as well. Every row must be an output.
    virtual DecodeStatus decode_hidden(std::span<const BatchRow> rows) = 0;
    // The final hidden state, after the output norm, of the `index`-th row of the last decode_hidden: `width` floats,
    // valid until the next decode of either kind.
    virtual const float * hidden(int32_t index) = 0;
    // Tags the cells of `from` in [begin, end) with `to` as well: a fork, no copy; but of a state, if there is one.
    virtual void seq_copy(SeqId from, SeqId to, Pos begin, Pos end) = 0;
    // Untags the cells of `seq` from `begin` on; a cell without a tag is free.
    virtual void seq_remove(SeqId seq, Pos begin) = 0;
};

class Model {
public:
    virtual ~Model() = default;
    virtual int32_t n_vocab() const = 0;
    virtual int32_t width() const = 0;  // of a hidden state
    virtual uint64_t n_params() const = 0;
    virtual uint64_t loaded_bytes() const = 0;  // of weights that no model of the engine had before it
    // Of one KV cell, all layers, and of its part of a state, if there are states.
    virtual int64_t cell_bytes(CacheType cache) const = 0;
    // `begins`: the model's own start token comes first, where it has one and the text does not begin with it.
    virtual std::vector<Token> tokenize(const Text & text, bool begins) const = 0;
    virtual const std::string & piece(Token token) const = 0;
    virtual bool is_end(Token token) const = 0;
    virtual std::optional<std::string> metadata(const std::string & key) const = 0;
    // `should_abort` is polled during a decode where the device allows it.
    virtual std::unique_ptr<Context> make_context(const ContextOptions & options,
                                                  std::function<bool()> should_abort) const = 0;
};

}  // namespace thinktree
