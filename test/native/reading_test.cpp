// Checks what a step is to a verifier, with a toy whose tokens depend on what stands together, and reward heads.
#include "scheduler/reading.h"

#include <cmath>

#include "base/error.h"
#include "harness.h"

namespace {

using namespace thinktree;

// Each run of letters is a token, with the blank before it; digits come in threes; "<tag>" is special.
class Words final : public Model {
public:
    std::vector<Token> tokenize(const Text & text, bool) const override {
        std::vector<Token> tokens;
        std::string letters;
        const auto flush = [&] {
            for (size_t i = 0; i < letters.size();) {
                size_t end = i + 1;
                const auto digit = [&](size_t at) { return at < letters.size() && std::isdigit(letters[at]) != 0; };
                const auto alpha = [&](size_t at) { return at < letters.size() && std::isalpha(letters[at]) != 0; };
                if (digit(i)) {
                    while (end < i + 3 && digit(end)) ++end;
                } else if (alpha(i) || (letters[i] == ' ' && alpha(i + 1))) {
                    while (alpha(end)) ++end;
                }
                tokens.push_back(id(letters.substr(i, end - i)));
                i = end;
            }
            letters.clear();
        };
        for (const auto & [words, is_template] : text) {
            size_t from = 0;
            for (size_t at; is_template && (at = words.find("<tag>", from)) != std::string::npos; from = at + 5) {
                letters += words.substr(from, at - from);
                flush();
                tokens.push_back(id("<tag>"));
            }
            letters += words.substr(from);
        }
        flush();
        return tokens;
    }
    std::string text(const std::vector<Token> & tokens) const {
        std::string all;
        for (const Token token : tokens) all += "[" + pieces_.at(static_cast<size_t>(token)) + "]";
        return all;
    }
    int32_t n_vocab() const override { return static_cast<int32_t>(pieces_.size()); }
    int32_t width() const override { return 1; }
    uint64_t n_params() const override { return 1; }
    uint64_t loaded_bytes() const override { return 0; }
    int64_t cell_bytes(CacheType) const override { return 1; }
    const std::string & piece(Token token) const override { return pieces_.at(static_cast<size_t>(token)); }
    bool is_end(Token) const override { return false; }
    std::optional<std::string> metadata(const std::string &) const override { return std::nullopt; }
    std::unique_ptr<Context> make_context(const ContextOptions &, std::function<bool()>) const override { return {}; }

private:
    Token id(const std::string & piece) const {
        const auto at = std::find(pieces_.begin(), pieces_.end(), piece);
        if (at == pieces_.end()) pieces_.push_back(piece);
        return static_cast<Token>(std::find(pieces_.begin(), pieces_.end(), piece) - pieces_.begin());
    }
    mutable std::vector<std::string> pieces_;
};

std::string read(Reading::Words words, const std::string & step, const Reading::Frame & frame,
                 const std::string & before, bool one_line = false, uint32_t replaceable = 0) {
    const Words model;
    Reading reading;
    reading.words = words;
    reading.one_line = one_line;
    reading.first = frame;
    const Continuation found = reading.piece(model, step, {}, before, replaceable).continuation;
    return std::string(found.replaced, '-') + model.text(found.tokens);
}

TEST(a_joined_step_is_tokenised_as_one_with_its_frame_and_what_is_before) {
    using enum Reading::Words;
    CHECK_EQ(read(joined, "So 12\n", {" ", "<tag>"}, "many?"), "[ So][ ][12][<tag>]");
    CHECK_EQ(read(joined, "\n  So \n", {"\n", " k"}, " k"), "[\n][ ][ So][ k]");
    CHECK_EQ(read(joined, "\n  So \n", {"\n", " k", true}, " k"), "[\n][So][ k]");
    // Digits that follow digits: what is there stays, and the rest is what a whole text would have.
    CHECK_EQ(read(joined, "4567", {"", ""}, "123"), "[456][7]");
    CHECK_EQ(read(joined, "34", {"", ""}, "12"), "[34]");  // a whole text would have 123: by itself
    CHECK_EQ(read(joined, "34", {"", ""}, "12", false, 1), "-[123][4]");
    CHECK_EQ(read(joined, "4567", {"", ""}, "123", false, 3), "[456][7]");
}

// Its tokens, and what of the next step's words is among them.
std::pair<std::string, std::string> read_on(const std::string & step, const Place & place, const std::string & before) {
    const Words model;
    Reading reading;
    reading.words = Reading::Words::joined;
    reading.first.before = "\nStep {k}: ";
    reading.next.before = "; Step {k}: ";
    reading.beyond = 3;
    reading.end = "<tag>";
    const Piece piece = reading.piece(model, step, place, before, 0);
    return {model.text(piece.continuation.tokens), reading.frame(place.number + 1).before.substr(0, piece.begun)};
}

TEST(a_step_that_is_read_on_takes_the_next_ones_first_tokens) {
    using Found = std::pair<std::string, std::string>;
    const Found first{"[\n][Step][ ][1][:][ So][;][ Step][ ]", "; Step "};
    CHECK(read_on("So", {}, "many?") == first);
    // Its own first tokens are read already, and its number is counted on.
    const Found ninth{"[9][:][ So][;][ Step][ ]", "; Step "};
    CHECK(read_on("So\n", {.number = 9, .begun = 7}, "; Step ") == ninth);
    // What follows a step may be one token with its end: counted is from where it would end alone.
    const Found digits{"[ ][10][:][ ][123][;][ Step][ ]", "; Step "};
    CHECK(read_on("123", {.number = 10, .begun = 6}, "; Step") == digits);
    const Found last{"[ Step][ ][2][:][ So][<tag>]", ""};
    CHECK(read_on("So", {.number = 2, .begun = 1, .last = true}, ";") == last);
}

TEST(words_apart_are_tokenised_by_themselves) {
    using enum Reading::Words;
    CHECK_EQ(read(apart, " a b\nc\n", {" ", " d<tag>"}, "x", true), "[ ][ a][ b][ c][ d][<tag>]");
    CHECK_EQ(read(own, " a\n", {"", "<tag>"}, "x"), "[ a][\n][<tag>]");  // neither trimmed nor joined
}

TEST(a_special_tokens_letters_in_a_step_are_letters) {
    for (const auto words : {Reading::Words::own, Reading::Words::joined, Reading::Words::apart}) {
        CHECK_EQ(read(words, "<tag>", {"", "<tag>"}, ""), "[<][tag][>][<tag>]");
    }
}

TEST(a_head_is_a_net_with_relu_between_its_layers) {
    using Activation = RewardHead::Activation;
    const std::vector<float> state{1, -2, 3};
    const RewardHead::Layer one{3, 1, {0.5f, 1, 0.5f}, {0.25f}};
    CHECK(std::abs(RewardHead({one}, Activation::sigmoid, {0})(state) - 1 / (1 + std::exp(-0.25f))) < 1e-6f);
    // Without ReLU the second unit would be -6 and turn the order round.
    const RewardHead::Layer hidden{3, 2, {1, 0, 0, -1, 1, -1}, {}}, two{2, 3, {1, 1, 0, 0, 2, 0}, {0, 0, 1}};
    const float all = std::exp(1.0f) + std::exp(0.0f) + std::exp(3.0f);
    CHECK(std::abs(RewardHead({hidden, two}, Activation::softmax, {1, 2})(state) -
                   (std::exp(0.0f) + std::exp(3.0f)) / all) < 1e-6f);
}

TEST(a_long_sum_is_whole) {
    std::vector<float> weights(37, 0.01f), state(37);
    for (size_t i = 0; i < state.size(); ++i) state[i] = static_cast<float>(i);
    const float sum = 0.01f * 36 * 37 / 2;
    const RewardHead head({{37, 1, weights, {}}}, RewardHead::Activation::sigmoid, {0});
    CHECK(std::abs(head(state) - 1 / (1 + std::exp(-sum))) < 1e-5f);
}

TEST(heads_that_do_not_fit_are_refused) {
    using Activation = RewardHead::Activation;
    const RewardHead::Layer good{3, 2, std::vector<float>(6), {}};
    const auto refused = [](std::vector<RewardHead::Layer> layers, Activation activation, std::vector<size_t> classes) {
        try {
            const RewardHead head(std::move(layers), activation, std::move(classes));
        } catch (const Error & error) {
            return error.code == ErrorCode::invalid_option;
        }
        return false;
    };
    CHECK(!refused({good}, Activation::softmax, {0, 1}));
    CHECK(refused({}, Activation::softmax, {0}));
    CHECK(refused({good}, Activation::softmax, {2}));
    CHECK(refused({good}, Activation::softmax, {}));
    CHECK(refused({good}, Activation::sigmoid, {0, 1}));
    CHECK(refused({good, good}, Activation::softmax, {0}));
    CHECK(refused({{3, 2, std::vector<float>(5), {}}}, Activation::softmax, {0}));
    CHECK(refused({{3, 2, std::vector<float>(6), {1}}}, Activation::softmax, {0}));
}

}  // namespace
