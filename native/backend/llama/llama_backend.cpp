#include "backend/llama/llama_backend.h"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <thread>

#include "backend/llama/handles.h"
#include "backend/llama/plan_probe.h"
#include "backend/llama/thread_team.h"
#include "backend/llama/tokenizer.h"
#include "base/error.h"
#include "llama.h"
#include "tree/seq_set.h"

namespace thinktree {

namespace {

// llama.cpp logs to one function for the whole process. We print nothing; the last error explains a failed load.
thread_local std::string last_log_error;

void keep_errors(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) last_log_error = text;
}

std::string take_log_error() {
    std::string text = std::move(last_log_error);
    last_log_error.clear();
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

void init_once() {
    static std::once_flag once;
    std::call_once(once, [] {
        llama_log_set(keep_errors, nullptr);
        llama_backend_init();
    });
}

// At most this much memory for the logits of one decode: a 150k vocabulary has 600 KB a row.
constexpr int64_t logits_bytes = 160 << 20;
// Rows of one decode up to which they cost no more each than fewer would. llama.cpp's own attention goes another way
// for 64 rows than for 63.
constexpr int32_t stock_tree_rows = 63;

// Below this a graph node is less work than the barrier after it, and ggml's barriers spin: on a busy machine two
// threads were ten times slower than one.
constexpr uint64_t params_worth_sharing = 30'000'000;

class LlamaContext final : public Context {
public:
    LlamaContext(std::shared_ptr<llama_model> model, const ContextOptions & options, std::function<bool()> should_abort)
        : model_(std::move(model)), should_abort_(std::move(should_abort)), rewards_(options.rewards) {
        n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_.get()));
        const int32_t threads =
            std::clamp(options.threads == 0 ? usual_threads() : options.threads, 1, GGML_MAX_N_THREADS);
        limits_.batch = std::max(options.batch, SeqSet::capacity);
        limits_.sequences = SeqSet::capacity;
        limits_.outputs = static_cast<int32_t>(std::clamp<int64_t>(
            logits_bytes / (n_vocab_ * static_cast<int64_t>(sizeof(float))), SeqSet::capacity, limits_.batch));

        llama_context_params params = llama_context_default_params();
        params.n_ctx = static_cast<uint32_t>(options.cells);
        params.n_batch = static_cast<uint32_t>(limits_.batch);
        params.n_ubatch = params.n_batch;
        params.n_seq_max = static_cast<uint32_t>(limits_.sequences);
        params.n_outputs_max = static_cast<uint32_t>(limits_.outputs);
        params.n_threads = threads;
        params.n_threads_batch = threads;
        params.type_k = params.type_v = options.cache == CacheType::q8_0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
        params.kv_unified = true;  // forks tag cells instead of copying them
        params.swa_full = true;    // a window's cells are needed again when an older branch goes on
        params.no_perf = true;
        params.pooling_type = LLAMA_POOLING_TYPE_NONE;  // a hidden state is one token's
        params.embeddings = rewards_;
        params.abort_callback = [](void * self) { return static_cast<LlamaContext *>(self)->should_abort_(); };
        params.abort_callback_data = this;
        const bool plans = attention_reads_plans(model_.get());
        context_ = open_context(model_.get(), params, plans);
        if (!context_) {
            throw Error(ErrorCode::model_load_failed,
                        "no context for this model: " + take_log_error() + " (fewer kvCells may help)");
        }

        // Without a pool of our own, ggml would start and end threads at every decode.
        ggml_threadpool_params pool = ggml_threadpool_params_default(threads);
        threadpool_.reset(ggml_threadpool_new(&pool));
        if (!threadpool_) throw Error(ErrorCode::model_load_failed, "no threads for the model");
        llama_attach_threadpool(context_.get(), threadpool_.get(), threadpool_.get());
        team_.emplace(threadpool_.get(), threads);
        reader_.emplace(static_cast<size_t>(threads));

        limits_.cells = static_cast<int32_t>(llama_n_ctx(context_.get()));
        limits_.positions = std::min(limits_.cells, llama_model_n_ctx_train(model_.get()));
        limits_.tree_attention = plans;
        limits_.tree_rows = plans || llama_supports_gpu_offload() ? SeqSet::capacity : stock_tree_rows;
    }

    const ContextLimits & limits() const override { return limits_; }

    DecodeStatus decode(std::span<const BatchRow> rows, std::span<const Ask> asks) override {
        const DecodeStatus status = run(rows);
        return status == DecodeStatus::ok && !read(asks) ? DecodeStatus::failed : status;
    }

    std::span<const Answer> answers() const override { return reader_->answers(); }

    // llama.cpp takes every row for an output while this is on, and aborts if that is more than n_outputs_max.
    DecodeStatus decode_hidden(std::span<const BatchRow> rows) override {
        if (rows.size() > static_cast<size_t>(limits_.outputs)) return DecodeStatus::failed;
        llama_set_embeddings(context_.get(), true);
        const DecodeStatus status = run(rows);
        llama_set_embeddings(context_.get(), rewards_);
        return status;
    }

    const float * hidden(int32_t index) override {
        return llama_get_embeddings_ith(context_.get(), output_rows_.at(static_cast<size_t>(index)));
    }

    const float * logits(int32_t index) override {
        return llama_get_logits_ith(context_.get(), output_rows_.at(static_cast<size_t>(index)));
    }

    void seq_copy(SeqId from, SeqId to, Pos begin, Pos end) override {
        llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, begin, end);
    }

    void seq_remove(SeqId seq, Pos begin) override {
        llama_memory_seq_rm(llama_get_memory(context_.get()), seq, begin, -1);
    }

private:
    int32_t usual_threads() const {
        if (llama_model_n_params(model_.get()) < params_worth_sharing) return 1;
        return static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
    }

    DecodeStatus run(std::span<const BatchRow> rows) {
        const size_t n = rows.size();
        tokens_.resize(n);
        positions_.resize(n);
        counts_.assign(n, 1);
        seqs_.resize(n);
        seq_pointers_.resize(n);
        outputs_.resize(n);
        output_rows_.clear();
        for (size_t i = 0; i < n; ++i) {
            tokens_[i] = rows[i].token;
            positions_[i] = rows[i].pos;
            seqs_[i] = rows[i].seq;
            seq_pointers_[i] = &seqs_[i];
            outputs_[i] = rows[i].output;
            if (rows[i].output) output_rows_.push_back(static_cast<int32_t>(i));
        }
        const llama_batch batch{static_cast<int32_t>(n), tokens_.data(),       nullptr,        positions_.data(),
                                counts_.data(),          seq_pointers_.data(), outputs_.data()};
        try {
            switch (llama_decode(context_.get(), batch)) {
                case 0: llama_synchronize(context_.get()); return DecodeStatus::ok;
                case 1: return DecodeStatus::no_slot;
                case 2: return DecodeStatus::aborted;
                default: return DecodeStatus::failed;
            }
        } catch (const std::exception &) {
            return DecodeStatus::failed;  // llama.cpp lets exceptions of its backends through
        }
    }

    // A row is where llama.cpp has computed it if that is the host's memory, else, or in an unpatched one, a copy.
    bool read(std::span<const Ask> asks) {
        const auto width = static_cast<size_t>(llama_model_n_embd_out(model_.get()));
        rows_.clear();
        for (int32_t i = 0; i < static_cast<int32_t>(output_rows_.size()); ++i) {
            OutputRow & row = rows_.emplace_back();
            row.logits = {logits(i), static_cast<size_t>(n_vocab_)};
            if (rewards_) row.hidden = {hidden(i), width};
        }
        reader_->begin(asks, rows_);
        return team_->run([this](size_t thread) { reader_->work(thread); });
    }

    std::shared_ptr<llama_model> model_;
    std::function<bool()> should_abort_;
    const bool rewards_;
    ThreadpoolPtr threadpool_;  // outlives the context that uses it
    ContextPtr context_;
    std::optional<ThreadTeam> team_;
    std::optional<RowReader> reader_;
    ContextLimits limits_{};
    int64_t n_vocab_ = 0;
    std::vector<llama_token> tokens_;
    std::vector<llama_pos> positions_;
    std::vector<int32_t> counts_;
    std::vector<llama_seq_id> seqs_;
    std::vector<llama_seq_id *> seq_pointers_;
    std::vector<int8_t> outputs_;
    std::vector<int32_t> output_rows_;
    std::vector<OutputRow> rows_;
};

class LlamaModel final : public Model {
public:
    explicit LlamaModel(ModelPtr model)
        : model_(std::move(model)), vocab_(llama_model_get_vocab(model_.get())), tokenizer_(vocab_) {
        const int32_t n = llama_vocab_n_tokens(vocab_);
        pieces_.reserve(static_cast<size_t>(n));
        for (llama_token token = 0; token < n; ++token) pieces_.push_back(read_piece(token));
    }

    int32_t n_vocab() const override { return static_cast<int32_t>(pieces_.size()); }
    int32_t width() const override { return llama_model_n_embd_out(model_.get()); }
    uint64_t n_params() const override { return llama_model_n_params(model_.get()); }

    int64_t cell_bytes(CacheType cache) const override {
        const llama_model * model = model_.get();
        const std::string attention = metadata("general.architecture").value_or("") + ".attention.";
        const auto width = [&](const char * key) {
            const std::optional<std::string> value = metadata(attention + key);
            return value ? std::stoll(*value) : llama_model_n_embd(model) / llama_model_n_head(model);
        };
        const int64_t numbers = llama_model_n_layer(model) * int64_t{llama_model_n_head_kv(model)} *
                                (width("key_length") + width("value_length"));
        return cache == CacheType::q8_0 ? numbers * 34 / 32 : numbers * 2;
    }
    const std::string & piece(Token token) const override { return pieces_.at(static_cast<size_t>(token)); }
    bool is_end(Token token) const override { return llama_vocab_is_eog(vocab_, token); }

    std::vector<Token> tokenize(const Text & text, bool begins) const override {
        return tokenizer_.tokens(text, begins);
    }

    std::optional<std::string> metadata(const std::string & key) const override {
        std::string value(256, '\0');
        int32_t n = llama_model_meta_val_str(model_.get(), key.c_str(), value.data(), value.size());
        if (n < 0) return std::nullopt;
        if (static_cast<size_t>(n) >= value.size()) {
            value.resize(static_cast<size_t>(n) + 1);
            n = llama_model_meta_val_str(model_.get(), key.c_str(), value.data(), value.size());
        }
        value.resize(static_cast<size_t>(n));
        return value;
    }

    std::unique_ptr<Context> make_context(const ContextOptions & options,
                                          std::function<bool()> should_abort) const override {
        return std::make_unique<LlamaContext>(model_, options, std::move(should_abort));
    }

private:
    // The bytes of a token as a reader sees them: control tokens have none.
    std::string read_piece(llama_token token) const {
        std::string text(32, '\0');
        int32_t n = llama_token_to_piece(vocab_, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
        if (n < 0) {
            text.resize(static_cast<size_t>(-n));
            n = llama_token_to_piece(vocab_, token, text.data(), -n, 0, false);
        }
        text.resize(static_cast<size_t>(std::max(n, 0)));
        return text;
    }

    std::shared_ptr<llama_model> model_;
    const llama_vocab * vocab_;
    Tokenizer tokenizer_;
    std::vector<std::string> pieces_;
};

}  // namespace

std::shared_ptr<const Model> load_llama_model(const ModelFile & file) {
    init_once();
    const auto fail = [&](const std::string & why) -> Error {
        return {ErrorCode::model_load_failed, "cannot load the model " + file.path + ": " + why};
    };
    std::ifstream stream(file.path, std::ios::binary);
    if (!stream) throw fail("no such file, or not readable");
    char magic[4] = {};
    if (!stream.read(magic, sizeof magic) || std::string_view(magic, 4) != "GGUF") throw fail("not a GGUF file");

    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = file.gpu_layers;
    take_log_error();
    ModelPtr model;
    try {
        model.reset(llama_model_load_from_file(file.path.c_str(), params));
    } catch (const std::exception & error) {
        throw fail(error.what());
    }
    if (!model) throw fail("llama.cpp refused it: " + take_log_error());
    // A recurrent state cannot be forked at an earlier position, and an encoder has no next token.
    if (llama_model_is_recurrent(model.get()) || llama_model_is_hybrid(model.get())) {
        throw Error(ErrorCode::unsupported_model,
                    file.path + ": recurrent and hybrid models cannot share their memory between branches yet");
    }
    if (llama_model_has_encoder(model.get()) || !llama_model_has_decoder(model.get()) ||
        llama_model_is_diffusion(model.get())) {
        throw Error(ErrorCode::unsupported_model, file.path + ": not a decoder-only language model");
    }
    if (llama_vocab_n_tokens(llama_model_get_vocab(model.get())) == 0) {
        throw Error(ErrorCode::unsupported_model, file.path + ": the model has no vocabulary");
    }
    return std::make_shared<LlamaModel>(std::move(model));
}

}  // namespace thinktree
