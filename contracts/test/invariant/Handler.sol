// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {GasBurner, Rejecter} from "../mocks/Accounts.sol";
import {BlockingToken} from "../mocks/Tokens.sol";
import {IMintable, VaultTest} from "../utils/VaultTest.sol";
import {Vm} from "forge-std/Vm.sol";

/// @dev Drives the vault at random with honest and hostile actors and keeps books of its own, from
/// what it sent and from the events it saw. It never asks the vault what it did.
contract Handler is VaultTest {
    struct Book {
        uint256 deposited;
        uint256 paid;
        uint256 deferred;
        uint256 claimed;
    }

    struct Known {
        Kind kind;
        Withdrawal withdrawal;
        uint256 key;
    }

    mapping(address token => Book) public books;
    mapping(bytes32 id => uint256 count) public terminals;
    mapping(bytes32 id => State) public replayed;
    mapping(address owner => uint256) public openRequests;
    /// @dev Set by the first event whose number does not follow its predecessor.
    bool public gap;
    /// @dev Set where something happened that nobody signed for.
    bool public breach;
    uint64 public seen;
    bytes32[] public ids;

    Known[] private _known;
    address[3] private _tokens;
    address[4] private _recipients;
    BlockingToken private _blocking;

    function start() external returns (IVault, address[3] memory) {
        vm.recordLogs();
        setUp();
        _blocking = new BlockingToken();
        _list(address(_blocking), 1003, false);
        _blocking.mint(alice, type(uint96).max);
        _blocking.mint(bob, type(uint96).max);
        vm.prank(alice);
        _blocking.approve(address(vault), type(uint256).max);
        vm.prank(bob);
        _blocking.approve(address(vault), type(uint256).max);
        _tokens = [ETHER, address(dollar), address(_blocking)];
        _recipients = [
            makeAddr("carol"), address(new Rejecter()), address(new GasBurner()), makeAddr("dora")
        ];
        _blocking.setBlocked(_recipients[3], true);
        _replay();
        return (vault, _tokens);
    }

    // ---------------------------------------------------------------- actions

    function deposit(uint256 actor, uint256 which, uint128 amount) external {
        address from = _actor(actor);
        address token = _tokens[which % 3];
        if (token == ETHER) {
            amount = uint128(bound(amount, 0.001 ether, 10 ether)) / ETHER_DIVISOR * ETHER_DIVISOR;
            vm.deal(from, amount);
            vm.prank(from);
            vault.depositEther{value: amount}(_actor(actor / 2));
        } else {
            amount =
                uint128(bound(amount, DOLLAR, 10_000 * DOLLAR)) / DOLLAR_DIVISOR * DOLLAR_DIVISOR;
            if (token == address(dollar)) dollar.mint(from, amount);
            vm.prank(from);
            vault.deposit(token, amount, _actor(actor / 2));
        }
        books[token].deposited += amount;
        _replay();
    }

    function donate(uint256 which, uint96 amount) external {
        address token = _tokens[which % 3];
        if (token == ETHER) vm.deal(address(vault), address(vault).balance + amount);
        else IMintable(token).mint(address(vault), amount);
        _replay();
    }

    function request(uint256 actor, uint256 which, uint256 to, uint128 amount, uint64 time)
        external
    {
        address owner = _actor(actor);
        if (openRequests[owner] == MAX_OPEN) return;
        address token = _tokens[which % 3];
        amount = _amount(token, amount);
        uint64 deadline = uint64(block.timestamp) + uint64(bound(time, MIN_DEADLINE, MAX_DEADLINE));
        vm.prank(owner);
        bytes32 id = vault.requestWithdrawal(token, _recipients[to % 4], amount, deadline);
        Withdrawal memory w =
            Withdrawal(owner, _recipients[to % 4], token, amount, 0, seen + 1, deadline);
        if (id != _id(Kind.Request, w)) breach = true;
        _remember(Kind.Request, w, 0);
        _replay();
    }

    function signIntent(uint256 actor, uint256 which, uint256 to, uint128 amount, uint256 nonce)
        external
    {
        address owner = _actor(actor);
        address token = _tokens[which % 3];
        Withdrawal memory w =
            _intent(owner, token, _recipients[to % 4], _amount(token, amount), nonce % 64);
        _remember(Kind.Intent, w, owner == alice ? aliceKey : bobKey);
    }

    function payBatch(uint256 from, uint256 size) external {
        if (_known.length == 0) return;
        PayoutItem[] memory items = new PayoutItem[](bound(size, 1, 5));
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _payoutItem(_known[addmod(from, i, _known.length)]);
        }
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        vault.payoutBatch(items, root, signatures);
        _replay();
    }

    function payOne(uint256 which) external {
        if (_known.length == 0) return;
        PayoutItem memory item = _payoutItem(_known[which % _known.length]);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        // Whether it is paid depends on its history; the books tell whether that was right.
        try vault.payout(item, signatures) {}
        catch {
            _forget();
        }
        _replay();
    }

    /// @dev A thief with one key of two, with a foreign key, or with a changed item.
    function steal(uint256 which, uint256 how) external {
        if (_known.length == 0) return;
        PayoutItem memory item = _payoutItem(_known[which % _known.length]);
        bytes32 digest = _typedHash("PayoutRoot(bytes32 root)", _payoutLeaf(item));
        bytes[] memory signatures = _quorum(digest, how % 3 == 0 ? 1 : 2);
        if (how % 3 == 1) signatures[1] = _signature(aliceKey, digest);
        if (how % 3 == 2) item.withdrawal.to = makeAddr("thief");
        try vault.payout(item, signatures) {
            breach = true;
        } catch {
            _forget();
        }
        _replay();
    }

    function refuse(uint256 which) external {
        if (_known.length == 0) return;
        Known memory known = _known[which % _known.length];
        RefusalItem memory item = _refusalItem(known.kind, known.withdrawal, RefusalReason.Operator);
        bytes[] memory signatures = _refusalQuorum(_refusalLeaf(item));
        try vault.refuse(item, signatures) {}
        catch {
            _forget();
        }
        _replay();
    }

    function cancel(uint256 which) external {
        if (_known.length == 0) return;
        Known memory known = _known[which % _known.length];
        bytes32 id = _id(known.kind, known.withdrawal);
        bool due = replayed[id] == State.Requested && block.timestamp > known.withdrawal.deadline;
        try vault.cancelExpired(known.kind, known.withdrawal) {
            if (!due) breach = true;
        } catch {
            // An expired request can always be cancelled.
            if (due) breach = true;
            _forget();
        }
        _replay();
    }

    function claim(uint256 actor, uint256 which, uint256 to) external {
        address owner = _actor(actor);
        address token = _tokens[which % 3];
        address recipient = _recipients[to % 4];
        bool owed = vault.claimable(token, owner) != 0;
        vm.prank(owner);
        try vault.claim(token, recipient) {
            if (!owed) breach = true;
        } catch {
            // A claim by a willing recipient always succeeds.
            if (owed && recipient == _recipients[0]) breach = true;
            _forget();
        }
        _replay();
    }

    function invalidate(uint256 actor, uint256 nonce) external {
        vm.prank(_actor(actor));
        try vault.invalidateNonce(nonce % 64) {}
        catch {
            _forget();
        }
        _replay();
    }

    function pause(uint256 which) external {
        vm.prank(which % 4 < 2 ? pauser : admin);
        if (which % 4 == 0) vault.pauseDeposits();
        if (which % 4 == 1) vault.pausePayouts();
        if (which % 4 == 2) vault.unpauseDeposits();
        if (which % 4 == 3) vault.unpausePayouts();
        // Pauses are tested elsewhere; here they must only not disturb the books.
        vm.startPrank(admin);
        vault.unpauseDeposits();
        vault.unpausePayouts();
        vm.stopPrank();
        _replay();
    }

    function relist(uint256 which) external {
        vm.startPrank(admin);
        if (which % 2 == 0) {
            vault.delistToken(address(dollar));
            vault.listToken(_dollarListing());
        } else {
            vault.delistToken(ETHER);
            vault.listToken(_etherListing());
        }
        vm.stopPrank();
        _replay();
    }

    function wait(uint64 time) external {
        vm.warp(block.timestamp + bound(time, 1, 2 days));
    }

    // ---------------------------------------------------------------- books

    function knownIds() external view returns (bytes32[] memory) {
        return ids;
    }

    function owners() external view returns (address[2] memory) {
        return [alice, bob];
    }

    /// @dev Reads the events since the last action as the daemon does: in order, by their numbers
    /// alone.
    function _replay() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(vault)) continue;
            _apply(logs[i].topics, logs[i].data);
        }
    }

    /// @dev The recorder keeps what a reverted call emitted; a chain does not.
    function _forget() private {
        vm.getRecordedLogs();
    }

    function _apply(bytes32[] memory topics, bytes memory data) private {
        bytes32 topic = topics[0];
        if (topic == Deposited.selector) {
            _next(uint64(uint256(topics[1])));
        } else if (topic == WithdrawalRequested.selector) {
            (uint64 seq,,,,) = abi.decode(data, (uint64, address, uint128, uint64, uint32));
            _next(seq);
            replayed[topics[1]] = State.Requested;
            ++openRequests[_addressOf(topics[3])];
        } else if (topic == Paid.selector || topic == PayoutDeferred.selector) {
            (uint64 seq, Kind kind,,, uint128 amount,) =
                abi.decode(data, (uint64, Kind, uint256, address, uint128, uint128));
            _next(seq);
            address token = _addressOf(topics[2]);
            if (topic == Paid.selector) books[token].paid += amount;
            else books[token].deferred += amount;
            _end(topics, kind, topic == Paid.selector ? State.Paid : State.Deferred);
        } else if (topic == Refused.selector) {
            (uint64 seq, Kind kind,,) = abi.decode(data, (uint64, Kind, uint256, RefusalReason));
            _next(seq);
            _end(topics, kind, State.Refused);
        } else if (topic == Cancelled.selector) {
            (uint64 seq, Kind kind,) = abi.decode(data, (uint64, Kind, uint256));
            _next(seq);
            _end(topics, kind, State.Cancelled);
        } else if (topic == Claimed.selector) {
            (uint64 seq, uint128 amount) = abi.decode(data, (uint64, uint128));
            _next(seq);
            books[_addressOf(topics[1])].claimed += amount;
        } else if (topic == NonceInvalidated.selector) {
            _next(abi.decode(data, (uint64)));
        } else if (topic == TokenListed.selector) {
            (uint64 seq,,,) = abi.decode(data, (uint64, uint128, uint8, bool));
            _next(seq);
        } else if (topic == TokenDelisted.selector) {
            _next(abi.decode(data, (uint64)));
        }
    }

    function _next(uint64 seq) private {
        if (seq != seen + 1) gap = true;
        seen = seq;
    }

    function _end(bytes32[] memory topics, Kind kind, State state) private {
        ++terminals[topics[1]];
        // A request ends only after it began; an intent has no beginning on chain.
        State before = replayed[topics[1]];
        if (before != (kind == Kind.Request ? State.Requested : State.None)) breach = true;
        replayed[topics[1]] = state;
        if (kind == Kind.Request) --openRequests[_addressOf(topics[3])];
    }

    // ---------------------------------------------------------------- helpers

    function _actor(uint256 seed) private view returns (address) {
        return seed % 2 == 0 ? alice : bob;
    }

    function _amount(address token, uint128 seed) private pure returns (uint128) {
        return token == ETHER
            ? uint128(bound(seed, 0.001 ether, 5 ether)) / ETHER_DIVISOR * ETHER_DIVISOR
            : uint128(bound(seed, DOLLAR, 5000 * DOLLAR)) / DOLLAR_DIVISOR * DOLLAR_DIVISOR;
    }

    function _remember(Kind kind, Withdrawal memory w, uint256 key) private {
        _known.push(Known(kind, w, key));
        ids.push(_id(kind, w));
    }

    function _payoutItem(Known memory known) private view returns (PayoutItem memory) {
        return known.kind == Kind.Request
            ? _requestItem(known.withdrawal)
            : _intentItem(known.withdrawal, known.key);
    }

    function _addressOf(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
