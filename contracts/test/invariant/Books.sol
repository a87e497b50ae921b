// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {VaultTest} from "../utils/VaultTest.sol";
import {Vm} from "forge-std/Vm.sol";

/// @dev What somebody knows who only reads the vault's events, as the daemon does: in order, by
/// their numbers. It never asks the vault what it did.
abstract contract Books is VaultTest {
    /// @dev What the handler found broken on the way; each is an invariant of its own.
    enum Rule {
        Quorum,
        Lifecycle,
        Cancel,
        Claim,
        Deposit,
        Payout,
        Request,
        Access,
        Starved,
        Id,
        Queue,
        Budget
    }

    struct Spent {
        uint256 time;
        uint256 amount;
    }

    /// @dev When a queued payout can be finalized.
    struct Window {
        uint256 opens;
        uint256 opensAtBlock;
        uint256 closes;
    }

    struct Book {
        uint256 sent;
        uint256 credited;
        uint256 paid;
        uint256 deferred;
        uint256 claimed;
        uint256 donated;
    }

    mapping(address token => Book) public books;
    mapping(address token => mapping(address owner => uint256)) public owed;
    mapping(address token => mapping(address to => uint256)) public received;
    mapping(bytes32 id => uint256 count) public terminals;
    mapping(bytes32 id => State) public replayed;
    mapping(address owner => uint256) public openRequests;
    mapping(Rule rule => string) public broken;
    /// @dev What was drawn from each token's payout budget, and the limits that it is held to.
    mapping(address token => Spent[]) internal _spent;
    mapping(address token => IVault.PayoutLimits) internal _limits;
    mapping(bytes32 id => Window) internal _windows;
    /// @dev What a quorum signed to be paid, and to be refused.
    mapping(bytes32 id => bool) internal _payable;
    mapping(bytes32 id => bool) internal _refusable;
    /// @dev Set by the first event whose number does not follow its predecessor.
    bool public gap;
    uint64 public seen;

    // ---------------------------------------------------------------- reading

    /// @dev Reads the events since the last action.
    function _replay() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(vault)) _apply(logs[i].topics, logs[i].data);
        }
    }

    /// @dev The action could not be done, as it should be. The recorder keeps what a reverted call
    /// emitted, a chain does not.
    function _discard() internal {
        vm.getRecordedLogs();
        vm.assume(false);
    }

    function _break(Rule rule, string memory what) internal {
        if (bytes(broken[rule]).length == 0) broken[rule] = what;
    }

    function _apply(bytes32[] memory topics, bytes memory data) private {
        bytes32 topic = topics[0];
        if (topic == Deposited.selector) _deposited(topics, data);
        else if (topic == WithdrawalRequested.selector) _requested(topics, data);
        else if (topic == PayoutQueued.selector) _enqueued(topics, data);
        else if (topic == PayoutVetoed.selector) _vetoed(topics, data);
        else if (topic == Paid.selector) _left(topics, data, State.Paid);
        else if (topic == PayoutDeferred.selector) _left(topics, data, State.Deferred);
        else if (topic == Refused.selector) _refused(topics, data);
        else if (topic == Cancelled.selector) _cancelled(topics, data);
        else if (topic == Claimed.selector) _claimed(topics, data);
        else if (topic == NonceInvalidated.selector) _next(abi.decode(data, (uint64)));
        else if (topic == TokenListed.selector) _listed(data);
        else if (topic == TokenDelisted.selector) _next(abi.decode(data, (uint64)));
    }

    function _deposited(bytes32[] memory topics, bytes memory data) private {
        _next(uint64(uint256(topics[1])));
        (, uint128 amount,) = abi.decode(data, (address, uint128, uint32));
        books[_addressOf(topics[2])].credited += amount;
    }

    function _requested(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq,,,,) = abi.decode(data, (uint64, address, uint128, uint64, uint32));
        _next(seq);
        if (replayed[topics[1]] != State.None) _break(Rule.Lifecycle, "requested twice");
        replayed[topics[1]] = State.Requested;
        ++openRequests[_addressOf(topics[3])];
    }

    /// @dev A large payout waits; the budget gives now, the books give later.
    function _enqueued(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq, Kind kind,,, uint128 amount,, uint64 opens, uint64 closes) =
            abi.decode(data, (uint64, Kind, uint256, address, uint128, uint128, uint64, uint64));
        _next(seq);
        uint256 due = block.timestamp + QUEUE_WINDOW;
        _windows[topics[1]] = Window(due, block.number + QUEUE_BLOCKS, due + QUEUE_LIFETIME);
        if (opens != due || closes != due + QUEUE_LIFETIME) _break(Rule.Queue, "another window");
        address token = _addressOf(topics[2]);
        if (!_payable[topics[1]]) _break(Rule.Quorum, "queued without a quorum");
        if (amount <= _limits[token].queueAbove) _break(Rule.Queue, "a small payout was queued");
        _draw(token, amount);
        _from(topics[1], _beginning(kind));
        replayed[topics[1]] = State.Queued;
    }

    function _vetoed(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq, Kind kind,) = abi.decode(data, (uint64, Kind, uint256));
        _next(seq);
        _from(topics[1], State.Queued);
        _end(topics, kind, State.Refused);
    }

    /// @dev Money that left the books: to its recipient, or to the owner to be claimed.
    function _left(bytes32[] memory topics, bytes memory data, State state) private {
        (uint64 seq, Kind kind,, address to, uint128 amount,) =
            abi.decode(data, (uint64, Kind, uint256, address, uint128, uint128));
        _next(seq);
        address token = _addressOf(topics[2]);
        if (!_payable[topics[1]]) _break(Rule.Quorum, "paid without a quorum");
        if (replayed[topics[1]] != State.Queued) {
            _from(topics[1], _beginning(kind));
            _draw(token, amount);
            if (amount > _limits[token].queueAbove) _break(Rule.Queue, "a large payout jumped");
        } else if (!_isOpen(topics[1])) {
            _break(Rule.Queue, "finalized outside its window");
        }
        if (state == State.Paid) {
            books[token].paid += amount;
            received[token][to] += amount;
        } else {
            books[token].deferred += amount;
            owed[token][_addressOf(topics[3])] += amount;
            if (_accepts(token, to)) _break(Rule.Starved, "a willing recipient was not paid");
        }
        _end(topics, kind, state);
    }

    function _isOpen(bytes32 id) internal view returns (bool) {
        Window storage window = _windows[id];
        return block.timestamp >= window.opens && block.number >= window.opensAtBlock
            && block.timestamp <= window.closes;
    }

    /// @dev In any time T at most `capacity * (1 + T / period)` is drawn, wherever T begins; looked
    /// at from each of the last draws.
    function _draw(address token, uint256 amount) private {
        Spent[] storage draws = _spent[token];
        draws.push(Spent(block.timestamp, amount));
        IVault.PayoutLimits memory limits = _limits[token];
        uint256 sum = 0;
        for (uint256 i = draws.length; i > 0 && draws.length - i < 24; --i) {
            sum += draws[i - 1].amount;
            uint256 time = block.timestamp - draws[i - 1].time;
            uint256 most = uint256(limits.budgetCapacity) * (limits.budgetPeriod + time);
            if (sum * limits.budgetPeriod > most) _break(Rule.Budget, "more than the budget");
        }
    }

    function _refused(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq, Kind kind,,) = abi.decode(data, (uint64, Kind, uint256, RefusalReason));
        _next(seq);
        if (!_refusable[topics[1]]) _break(Rule.Quorum, "refused without a quorum");
        _from(topics[1], _beginning(kind));
        _end(topics, kind, State.Refused);
    }

    function _cancelled(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq, Kind kind,) = abi.decode(data, (uint64, Kind, uint256));
        _next(seq);
        if (replayed[topics[1]] != State.Queued) _from(topics[1], State.Requested);
        _end(topics, kind, State.Cancelled);
    }

    function _claimed(bytes32[] memory topics, bytes memory data) private {
        (uint64 seq, uint128 amount) = abi.decode(data, (uint64, uint128));
        _next(seq);
        address token = _addressOf(topics[1]);
        books[token].claimed += amount;
        owed[token][_addressOf(topics[2])] -= amount;
        received[token][_addressOf(topics[3])] += amount;
    }

    function _listed(bytes memory data) private {
        (uint64 seq,,,) = abi.decode(data, (uint64, uint128, uint8, bool));
        _next(seq);
    }

    function _next(uint64 seq) private {
        if (seq != seen + 1) gap = true;
        seen = seq;
    }

    function _from(bytes32 id, State expected) private {
        if (replayed[id] != expected) _break(Rule.Lifecycle, "went on from another state");
    }

    function _end(bytes32[] memory topics, Kind kind, State state) private {
        ++terminals[topics[1]];
        replayed[topics[1]] = state;
        if (kind == Kind.Request) --openRequests[_addressOf(topics[3])];
    }

    /// @dev A request ends only after it began; an intent has no beginning on chain.
    function _beginning(Kind kind) internal pure returns (State) {
        return kind == Kind.Request ? State.Requested : State.None;
    }

    function _addressOf(bytes32 topic) internal pure returns (address) {
        return address(uint160(uint256(topic)));
    }

    /// @dev Whether this recipient takes this token: then a payout to it is never deferred.
    function _accepts(address token, address to) internal view virtual returns (bool);
}
