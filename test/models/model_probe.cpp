// Owns: questions about a model file, answered by the real backend, a line each on standard input and output:
//
//   prompt HEX | context HEX | plain HEX
//                        the token ids of a text, which is given in hexadecimal digits
//   hidden ID...         the hidden states of a text of those tokens, one after the other
//   pair A B ID...       after each of its tokens, the probability of token A against token B
//   ends ID...           1 for each token that ends a text, else 0
//   likelihood ID...     of each token but the first, its log-probability
//
// Thread: the only one, beside the backend's own.
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/llama/llama_backend.h"

namespace {

using namespace thinktree;

std::string from_hex(const std::string & digits) {
    std::string text;
    for (size_t i = 0; i + 1 < digits.size(); i += 2) {
        text.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    return text;
}

std::vector<Token> read_tokens(std::istream & in) {
    std::vector<Token> tokens;
    for (Token token = 0; in >> token;) tokens.push_back(token);
    return tokens;
}

std::vector<BatchRow> rows_of(const std::vector<Token> & tokens) {
    std::vector<BatchRow> rows;
    for (size_t i = 0; i < tokens.size(); ++i) rows.push_back({tokens[i], static_cast<Pos>(i), 0, true});
    return rows;
}

void expect(DecodeStatus status) {
    if (status != DecodeStatus::ok) throw std::runtime_error("the text could not be decoded");
}

std::vector<float> hidden_states(const Model & model, Context & context, const std::vector<Token> & tokens) {
    context.seq_remove(0, 0);
    expect(context.decode_hidden(rows_of(tokens)));
    std::vector<float> states;
    for (int32_t i = 0; i < static_cast<int32_t>(tokens.size()); ++i) {
        states.insert(states.end(), context.hidden(i), context.hidden(i) + model.width());
    }
    return states;
}

template <class What>
std::vector<float> answers(Context & context, const std::vector<Token> & tokens, size_t last, const What & what_after) {
    std::vector<Ask> asks;
    for (size_t i = 0; i < last; ++i) asks.push_back({static_cast<int32_t>(i), what_after(i)});
    context.seq_remove(0, 0);
    expect(context.decode(rows_of(tokens), asks));
    std::vector<float> values;
    for (const Answer & answer : context.answers()) values.push_back(answer.value);
    return values;
}

template <class T>
void print(const std::vector<T> & values) {
    std::ostringstream line;
    line.precision(9);
    for (const T value : values) line << value << ' ';
    std::cout << line.str() << std::endl;
}

void answer(const Model & model, Context & context, std::istream & line) {
    std::string question;
    line >> question;
    if (question == "hidden") {
        print(hidden_states(model, context, read_tokens(line)));
    } else if (question == "ends") {
        std::vector<int> ends;
        for (const Token token : read_tokens(line)) ends.push_back(model.is_end(token));
        print(ends);
    } else if (question == "pair") {
        PairProbability pair{};
        line >> pair.a >> pair.b;
        const std::vector<Token> tokens = read_tokens(line);
        print(answers(context, tokens, tokens.size(), [&](size_t) { return pair; }));
    } else if (question == "likelihood") {
        const std::vector<Token> tokens = read_tokens(line);
        print(answers(context, tokens, tokens.size() - 1, [&](size_t i) { return LogProbability{tokens[i + 1]}; }));
    } else {
        std::string digits;
        line >> digits;
        const std::string words = from_hex(digits);
        print(model.tokenize(question == "plain" ? plain_text(words) : template_text(words), question == "prompt"));
    }
}

}  // namespace

int main(int argc, char ** argv) {
    try {
        if (argc != 2) throw std::runtime_error("expected the path of a model file");
        const auto model = LlamaModels().load({argv[1]});
        const auto context = model->make_context(ContextOptions{.cells = 512}, [] { return false; });
        for (std::string text; std::getline(std::cin, text);) {
            std::istringstream line(text);
            answer(*model, *context, line);
        }
    } catch (const std::exception & error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
    return 0;
}
