// Owns: every token span of every question in one context, and which of them are in the KV cache.
// Must not know: steps, branches, sampling, rewards. Thread: the scheduler thread.
//
// A node is a span of tokens below its parent. A *lease* is a sequence id that covers the path from the root to
// one node; children share their parent's cells, so a fork tags cells and copies nothing:
//
//      root ───── a ───── b        lease 0 at b covers root, a, b
//                  └───── c        lease 1 at c covers root, a, c     (seq_copy of root and a: tags only)
//
// A node that no lease covers is *parked*: its tokens are kept, its cells are gone, and it is computed again when
// something below it is planned. Two rules keep this sound:
//   - a node is computed only after its parent is, by one lease at a time;
//   - every node above a lease's own node is wholly computed once the batch is committed.
//
// Where memory forks at ends (backend.h) a lease is a state. It has read the path down to the last computed token of
// its own node, and stands nowhere else, so that only a node where a lease ends has computed tokens: the first child to
// go on from there takes the state along, and whoever comes later computes its path again from the nearest state above.
// So a state that others will go on from stays, as long as there are sequences to spare, and a copy goes on
// (states.cpp):
//
//      root ──── a ──── b         lease 0 at root: c will go on from there
//        └────── c                lease 1 at b, copied from lease 0 and gone on through a, whose own state is no more
//
// A draft is a guess of a text's next tokens. It goes into the batch that the text's last token is in, on the text's
// own lease. As far as it was right the text adopts it, cell by cell; the rest is released:
//
//      ── 12+3 ┄┄ [=15]      drawn: = 1 4      ── 12+3=1 ── 4      the cells of "=1" are decoded already, "4" is owed
#pragma once

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "tree/seq_set.h"

namespace thinktree {

using NodeId = uint32_t;
constexpr NodeId no_node = std::numeric_limits<NodeId>::max();
constexpr SeqId no_seq = -1;
// The age of a claim: operations that began earlier win cells from later ones. Idle leases go before those that are
// claimed, and before all others go the leases of text that nobody has asked for: `spare` takes nothing from anybody.
constexpr uint64_t spare = std::numeric_limits<uint64_t>::max();
constexpr uint64_t idle = spare - 1;

// What one question holds and has cost in one context; all in tokens.
struct TreeUsage {
    int64_t live = 0;  // distinct tokens of live nodes
    int64_t live_peak = 0;
    int64_t cells = 0;  // KV cells held
    int64_t cells_peak = 0;
    int64_t prompt_decoded = 0;  // tokens of given nodes, each counted the first time
    int64_t decoded = 0;         // of all others, likewise
    int64_t recomputed = 0;      // tokens decoded again after parking
    int64_t drafted = 0;         // tokens of drafts; they are in none of the three above
    int64_t adopted = 0;         // those of them that have become text
    int64_t begun = 0;           // of `decoded`: those that were planned as spare
    int64_t begun_kept = 0;      // those of them that somebody has asked for since

    int64_t all_decoded() const { return prompt_decoded + decoded + recomputed + drafted; }
};

struct Node {
    NodeId parent = no_node;
    Pos start = 0;  // position of tokens[0]
    std::vector<Token> tokens;
    uint32_t computed = 0;  // leading tokens that are in the cache, or that the state which ends here has read
    uint32_t ever_computed = 0;
    uint32_t refs = 0;       // one for the holder, one for each child
    SeqId lease = no_seq;    // the lease that ends here
    SeqSet leases;           // every lease that covers this node
    uint32_t stateless = 0;  // children that no lease covers, where memory forks at ends
    TreeUsage * usage = nullptr;
    uint32_t begun = 0;           // of the tokens ever computed: as spare, and nobody has kept them
    bool forks = false;           // more texts than one will go on from its end
    bool given = false;           // a prompt's or a context's, not written by a model
    bool draft = false;           // a guess of what will be written: not live until it is adopted
    bool speculative = false;     // written ahead: no branch has its tokens
    bool want_last = false;       // logits after the last token are asked for
    bool want_inner = false;      // logits after every token but the last are asked for
    bool planned = false;         // in the batch that is being put together
    int32_t row = -1;             // which of the batch's outputs is the one after the last token
    std::vector<float> kept_row;  // the same logits, kept for forks to come

    uint32_t size() const { return static_cast<uint32_t>(tokens.size()); }
    Pos end() const { return start + static_cast<Pos>(tokens.size()); }
};

// The cells of a stretch of some state's path. States that part share what is above.
class CellRun {
public:
    CellRun(std::shared_ptr<CellRun> above, TreeUsage & usage, int64_t & used)
        : above_(std::move(above)), usage_(usage), used_(used) {}
    CellRun(const CellRun &) = delete;
    ~CellRun();

    void add(int64_t cells);
    int64_t length() const;  // with all above

private:
    std::shared_ptr<CellRun> above_;
    int64_t cells_ = 0;
    TreeUsage & usage_;
    int64_t & used_;  // of the whole cache
};

// One decode in the making.
struct Batch {
    struct Span {
        NodeId node;
        uint32_t begin, end;  // token indices in the node
        uint32_t first_row;
        bool speculative = false;
    };
    struct Output {
        NodeId node;
        uint32_t index;  // the logits are those after tokens[index]
    };
    std::vector<BatchRow> rows;
    std::vector<Span> spans;
    std::vector<Output> outputs;  // in the order of Context::logits
    uint32_t max_rows = 0;
    uint32_t max_outputs = 0;
};

enum class Planned {
    nothing_owed,  // the asked span is in the cache already
    whole,         // all it owes is in the batch
    part,          // the batch is full, or another operation computes a node above in this very batch
    no_room,       // no cells, and nobody younger to take them from
};

class TokenForest {
public:
    explicit TokenForest(Context & context);

    // Only their ends can be forked from, and nothing can be taken back: no drafts.
    bool forks_at_ends() const { return at_ends_; }

    NodeId add_root(std::vector<Token> tokens, TreeUsage & usage);
    NodeId add_child(NodeId parent, std::vector<Token> tokens, bool given = false);
    void append(NodeId node, Token token);
    // A guess of what may be written below `parent`; not where memory forks at ends. Released, its cells are free at
    // once and its lease goes back.
    NodeId add_draft(NodeId parent, std::vector<Token> tokens);
    // The last token of `node` is the first of `draft`, which was beside it until now: `node` is the draft's parent,
    // and the token has just been appended, or it is a new child of that parent and has this one token. If the cell is
    // there it goes over. What is left of the draft, perhaps no token, is below `node` from now on.
    void adopt(NodeId node, NodeId draft);
    // Gives up the holder's reference. The node goes when its children have gone; its lease retreats to the parent
    // if nothing else covers that.
    void release(NodeId node);

    Node & operator[](NodeId node) { return nodes_[node]; }
    const Node & operator[](NodeId node) const { return nodes_[node]; }

    // The tokens below `above` down to the last one of `node`.
    std::vector<Token> path(NodeId above, NodeId node) const;

    // The node above `node` that has to be computed before it; none if what it goes on from is there.
    NodeId owing_above(NodeId node) const;
    // Puts what `target` owes up to `upto` of its tokens, and what its ancestors owe, into the batch.
    Planned plan(NodeId target, uint32_t upto, uint64_t age, Batch & batch);
    // Puts a whole draft into the batch that the last token of its parent is in, as an output, on the parent's lease.
    // False: it would not fit, or would have to take something from others.
    bool plan_draft(NodeId draft, Batch & batch);
    // Somebody has asked for the node's tokens after all.
    void keep(NodeId node);
    // After a good decode: the batch's tokens are in the cache.
    void commit(const Batch & batch);
    // After a bad one: every lease in the batch is parked, so that no cell of unknown state is left. Where memory forks
    // at ends, all leases: a decode moves states that are not in its batch, too.
    void roll_back(const Batch & batch);
    // The batch's outputs are no longer there, or never came.
    void forget_rows(const Batch & batch) {
        for (const Batch::Output & output : batch.outputs) nodes_[output.node].row = -1;
    }
    // An operation on this node is done: others may take its lease and those that it claimed on the way here.
    void settle(NodeId node);
    // Forgets the cells of the node and of all below it, or the state that ends there, unless the batch in the making
    // needs one of them.
    bool park_below(NodeId node);

    // Whether an operation has found no room, or taken it from another, since this was asked last.
    bool take_contended() { return std::exchange(contended_, false); }
    // Rows with logits that the batch still takes without taking a cell from anyone.
    uint32_t room(const Batch & batch) const;

    int64_t cells_used() const { return cells_used_; }
    int64_t nodes_alive() const { return static_cast<int64_t>(nodes_.size() - free_nodes_.size()); }
    int leases_held() const;
    // Throws when an invariant is broken: for tests, and when idle in debug builds.
    void check_integrity() const;

private:
    struct Lease {
        NodeId node = no_node;
        uint64_t claim = idle;
        uint64_t last_used = 0;
        bool planned = false;
        std::shared_ptr<CellRun> cells;  // of a state's path, where memory forks at ends
    };

    Node below(NodeId parent, std::vector<Token> tokens);
    NodeId allocate(Node node);
    void destroy(NodeId node);
    void vacate(NodeId node);
    int64_t free_cells(const Batch & batch) const;
    void cover(NodeId from, NodeId above, SeqId seq);
    void uncover(NodeId from, NodeId above, SeqId seq);
    bool is_ancestor(NodeId ancestor, NodeId node) const;
    bool acquire(NodeId node, uint64_t age, const Batch & batch);
    bool make_way(NodeId node, uint64_t age);
    uint32_t put(NodeId node, uint32_t upto, uint64_t age, Batch & batch);
    uint32_t make_room(NodeId node, uint32_t wanted, uint64_t age, const Batch & batch);
    bool goes_before(const Lease & a, const Lease & b) const;
    SeqId victim(uint64_t age, NodeId node) const;
    void evict(SeqId seq, NodeId node);
    void retreat(SeqId seq, NodeId to);
    void park(SeqId seq);
    void drop_cells(Node & node);

    // Where memory forks at ends: states.cpp.
    bool is_forked(NodeId node, NodeId but_for) const;
    bool keeps_victim(const Lease & lease, NodeId node) const;
    bool may_take(SeqId seq, NodeId node, uint64_t age) const;
    bool must_wait(NodeId node, uint64_t age, const Batch & batch) const;
    bool acquire_state(NodeId node, uint64_t age, const Batch & batch);
    void commit_state(const Batch::Span & span, SeqId seq);
    void check_states() const;

    Context & context_;
    const bool at_ends_;
    std::vector<Node> nodes_;
    std::vector<NodeId> free_nodes_;
    std::vector<Lease> leases_;
    std::vector<SeqId> free_seqs_;
    int64_t cells_used_ = 0;
    uint64_t clock_ = 0;
    bool contended_ = false;
};

}  // namespace thinktree
