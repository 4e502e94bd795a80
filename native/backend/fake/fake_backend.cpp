#include "backend/fake/fake_backend.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <thread>

#include "base/counter_rng.h"
#include "tree/seq_set.h"

namespace thinktree {

namespace {

class FakeContext final : public Context {
public:
    FakeContext(const FakeOptions & options, std::shared_ptr<FakeProbe> probe, std::function<bool()> should_abort)
        : options_(options), probe_(std::move(probe)), should_abort_(std::move(should_abort)) {
        limits_ = {options.cells,        std::min(options.positions, options.cells),
                   options.batch,        options.batch,
                   options.sequences,    options.tree_rows,
                   options.forks_at_ends};
        states_.resize(static_cast<size_t>(options.sequences));
        cells_.resize(static_cast<size_t>(options.cells));
    }

    ~FakeContext() override { probe_->cells_used -= used_; }

    const ContextLimits & limits() const override { return limits_; }

    DecodeStatus decode(std::span<const BatchRow> rows, std::span<const Ask> asks) override {
        ++calls_;
        ++probe_->decodes;
        probe_->rows += static_cast<int64_t>(rows.size());
        probe_->largest_batch = std::max(probe_->largest_batch.load(), static_cast<int64_t>(rows.size()));
        break_process(rows);
        if (!spend_time()) {
            spoil_states();
            return DecodeStatus::aborted;
        }
        if (due(options_.throw_every)) spoil_states();
        if (due(options_.throw_every)) throw std::runtime_error("fake backend: thrown to order");
        if (due(options_.no_slot_every)) return DecodeStatus::no_slot;
        if (static_cast<int64_t>(cells_.size()) - used_ < static_cast<int64_t>(rows.size())) {
            ++probe_->violations;  // the forest counts cells itself and must never let this happen
            return DecodeStatus::no_slot;
        }
        const bool failed = due(options_.fail_every) || std::any_of(rows.begin(), rows.end(), [&](const auto & row) {
                                return row.token == options_.poison_token;
                            });
        rows_.clear();
        hidden_.clear();
        for (const BatchRow & row : rows) {
            store(row);
            if (failed && &row == &rows[rows.size() / 2]) {  // cells of unknown state
                spoil_states();
                return DecodeStatus::failed;
            }
            if (row.output) rows_.push_back(logits_after(row));
        }
        const auto beyond = [&](const Ask & ask) { return static_cast<size_t>(ask.row) >= rows_.size(); };
        if (std::any_of(asks.begin(), asks.end(), beyond)) {
            ++probe_->violations;
            return DecodeStatus::failed;
        }
        std::vector<OutputRow> outputs;
        for (const BatchRow & row : rows) {
            if (!row.output) continue;
            const bool asked = std::any_of(asks.begin(), asks.end(), [&](const Ask & ask) {
                return static_cast<size_t>(ask.row) == outputs.size() && std::holds_alternative<Reward>(ask.what);
            });
            if (asked) hidden_.push_back(hidden_after(row));
            outputs.push_back({rows_[outputs.size()], asked ? hidden_.back() : std::span<const float>{}});
        }
        reader_.begin(asks, outputs);
        reader_.work(0);
        return DecodeStatus::ok;
    }

    std::span<const Answer> answers() const override { return reader_.answers(); }

    DecodeStatus decode_hidden(std::span<const BatchRow> rows) override {
        if (!std::all_of(rows.begin(), rows.end(), [](const BatchRow & row) { return row.output; })) {
            ++probe_->violations;
        }
        const DecodeStatus status = decode(rows, {});
        if (status != DecodeStatus::ok) return status;
        for (const BatchRow & row : rows) hidden_.push_back(hidden_after(row));
        return status;
    }

    const float * hidden(int32_t index) override { return hidden_.at(static_cast<size_t>(index)).data(); }

    const float * logits(int32_t index) override { return rows_.at(static_cast<size_t>(index)).data(); }

    void seq_copy(SeqId from, SeqId to, Pos begin, Pos end) override {
        for (Cell & cell : cells_) {
            if (cell.seqs.contains(to)) ++probe_->violations;  // a lease is empty when it is handed out
            if (cell.seqs.contains(from) && cell.pos >= begin && cell.pos < end) cell.seqs.insert(to);
        }
        if (!limits_.forks_at_ends) return;
        const State & source = state(from);
        if (source.spoilt || begin != 0 || static_cast<size_t>(end) != source.read.size()) ++probe_->violations;
        state(to) = source;
    }

    void seq_remove(SeqId seq, Pos begin) override {
        for (Cell & cell : cells_) {
            if (!cell.seqs.contains(seq) || cell.pos < begin) continue;
            cell.seqs.erase(seq);
            if (cell.seqs.empty()) count(-1);
        }
        if (limits_.forks_at_ends && begin != 0) ++probe_->violations;
        state(seq) = {};
    }

private:
    struct Cell {
        Token token = 0;
        Pos pos = 0;
        SeqSet seqs;
    };

    struct State {
        std::vector<Token> read;
        bool spoilt = false;
    };

    State & state(SeqId seq) { return states_.at(static_cast<size_t>(seq)); }

    // A decode moves states about that are not in its batch.
    void spoil_states() {
        for (State & any : states_) any.spoilt = !any.read.empty();
    }

    void break_process(std::span<const BatchRow> rows) const {
        const bool hangs = calls_ == options_.hang_at_decode;
        const bool crashes = calls_ == options_.crash_at_decode ||
                             std::any_of(rows.begin(), rows.end(),
                                         [&](const auto & row) { return row.token == options_.crash_on_token; });
        if (!hangs && !crashes) return;
        if (!options_.fault_file.empty() && std::remove(options_.fault_file.c_str()) != 0) return;
        if (crashes) {
            std::fputs("the toy crashes\n", stderr);
            std::abort();
        }
        while (true) std::this_thread::sleep_for(std::chrono::hours(1));  // and asks nobody whether it should go on
    }

    bool due(int32_t every) const { return every > 0 && calls_ % every == 0; }

    bool spend_time() const {
        const auto until = std::chrono::steady_clock::now() + options_.decode_time;
        while (options_.decode_time.count() > 0 && std::chrono::steady_clock::now() < until) {
            if (should_abort_()) return false;
            std::this_thread::sleep_for(std::min(options_.decode_time, std::chrono::microseconds(200)));
        }
        return true;
    }

    void count(int64_t change) {
        used_ += change;
        probe_->cells_used += change;
        probe_->cells_peak = std::max(probe_->cells_peak.load(), probe_->cells_used.load());
    }

    void store(const BatchRow & row) {
        if (row.pos >= limits_.positions) ++probe_->violations;
        const auto cell = std::find_if(cells_.begin(), cells_.end(), [](const Cell & c) { return c.seqs.empty(); });
        *cell = {row.token, row.pos, {}};
        cell->seqs.insert(row.seq);
        count(1);
        if (!limits_.forks_at_ends) return;
        State & reading = state(row.seq);
        if (reading.spoilt || static_cast<size_t>(row.pos) != reading.read.size()) ++probe_->violations;
        reading.read.push_back(row.token);
    }

    // What the row can see: the cells of its sequence up to its position, which must be one for each position.
    std::vector<Token> visible(const BatchRow & row) {
        std::vector<Token> path(static_cast<size_t>(row.pos) + 1, -1);
        for (const Cell & cell : cells_) {
            if (!cell.seqs.contains(row.seq)) continue;
            if (cell.pos > row.pos) continue;
            if (path[static_cast<size_t>(cell.pos)] != -1) ++probe_->violations;
            path[static_cast<size_t>(cell.pos)] = cell.token;
        }
        if (std::count(path.begin(), path.end(), -1) > 0) ++probe_->violations;
        if (limits_.forks_at_ends) {
            const std::vector<Token> & read = state(row.seq).read;  // perhaps rows after this one, too
            if (read.size() < path.size() || !std::equal(path.begin(), path.end(), read.begin())) ++probe_->violations;
        }
        return path;
    }

    static uint64_t hash_of(const std::vector<Token> & path) {
        uint64_t hash = 17;
        for (const Token token : path) hash = fork_key(hash, static_cast<uint32_t>(token));
        return hash;
    }

    std::vector<float> hidden_after(const BatchRow & row) {
        const uint64_t hash = hash_of(visible(row));
        std::vector<float> state;
        for (uint32_t i = 0; i < fake_width; ++i) state.push_back(static_cast<float>(uniform_at(hash, i)));
        return state;
    }

    std::vector<float> logits_after(const BatchRow & row) {
        const std::vector<Token> path = visible(row);
        std::vector<float> logits(static_cast<size_t>(options_.vocab), -8.0f);
        if (row.token == options_.nan_after_token) logits[0] = std::numeric_limits<float>::quiet_NaN();

        const auto length = static_cast<int32_t>(path.size());
        const bool strays = options_.stray_every > 0 && length % options_.stray_every == 0;
        const uint64_t hash = strays ? fork_key(hash_of(path), 0) : hash_of(path);
        size_t line = 0;   // tokens since the last newline
        size_t lines = 0;  // newlines so far
        for (const Token token : path) {
            line = token == '\n' ? 0 : line + 1;
            lines += token == '\n';
        }
        for (Token digit = '0'; digit <= '9'; ++digit) {
            logits[static_cast<size_t>(digit)] = static_cast<float>(uniform_at(hash, static_cast<uint32_t>(digit)));
        }
        logits['+'] = static_cast<float>(uniform_at(hash, '+'));
        logits['\n'] = line == 0 ? -8.0f : static_cast<float>(line) - 4.0f;
        logits[fake_end_token] = line == 0 && lines > 1 ? static_cast<float>(lines) - 1.0f : -8.0f;
        return logits;
    }

    FakeOptions options_;
    std::shared_ptr<FakeProbe> probe_;
    std::function<bool()> should_abort_;
    ContextLimits limits_;
    std::vector<Cell> cells_;
    std::vector<State> states_;
    std::vector<std::vector<float>> rows_;
    RowReader reader_{1};
    std::vector<std::vector<float>> hidden_;
    int64_t used_ = 0;
    int64_t calls_ = 0;
};

class FakeModel final : public Model {
public:
    FakeModel(const FakeOptions & options, std::shared_ptr<FakeProbe> probe)
        : options_(options), probe_(probe ? std::move(probe) : std::make_shared<FakeProbe>()) {
        for (int32_t token = 0; token < options.vocab; ++token) {
            pieces_.push_back(token < 256 ? std::string(1, static_cast<char>(token)) : std::string());
        }
    }

    int32_t n_vocab() const override { return options_.vocab; }
    int32_t width() const override { return static_cast<int32_t>(fake_width); }
    uint64_t n_params() const override { return 1000; }
    uint64_t loaded_bytes() const override { return 0; }
    int64_t cell_bytes(CacheType) const override { return 1024; }

    std::vector<Token> tokenize(const Text & text, bool) const override {
        std::vector<Token> tokens;
        for (const auto & [words, is_template] : text) {
            for (size_t i = 0; i < words.size(); ++i) {
                const bool tag = is_template && words.compare(i, fake_tag.size(), fake_tag) == 0;
                tokens.push_back(tag ? fake_tag_token : static_cast<unsigned char>(words[i]));
                if (tag) i += fake_tag.size() - 1;
            }
        }
        return tokens;
    }

    const std::string & piece(Token token) const override { return pieces_.at(static_cast<size_t>(token)); }
    bool is_end(Token token) const override { return token == fake_end_token; }
    std::optional<std::string> metadata(const std::string &) const override { return std::nullopt; }

    std::unique_ptr<Context> make_context(const ContextOptions &, std::function<bool()> should_abort) const override {
        return std::make_unique<FakeContext>(options_, probe_, std::move(should_abort));
    }

private:
    FakeOptions options_;
    std::shared_ptr<FakeProbe> probe_;
    std::vector<std::string> pieces_;
};

}  // namespace

std::shared_ptr<const Model> make_fake_model(const FakeOptions & options, std::shared_ptr<FakeProbe> probe) {
    return std::make_shared<FakeModel>(options, std::move(probe));
}

}  // namespace thinktree
