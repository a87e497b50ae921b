// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {World} from "./World.sol";

/// @dev What users, signers and operators do. Each action knows from the books alone whether the
/// vault must let it through, and compares. What could not be done is discarded, so that forge's
/// table of calls shows how many of each did something.
abstract contract Honest is World {
    // ---------------------------------------------------------------- deposits

    function deposit(uint256 actor, uint256 which, uint128 amount) external {
        address from = _actor(actor);
        address to = _actor(actor / 2);
        address token = _tokens[which % TOKENS];
        amount = _amount(token, amount, 10_000);
        bool due = _depositable(token);
        if (token == ETHER) vm.deal(from, amount);
        vm.prank(from);
        if (token == ETHER) {
            try vault.depositEther{value: amount}(to) {
                _deposited(token, amount, due);
            } catch {
                _notDeposited(due);
            }
        } else if (token == address(_fee)) {
            try vault.depositMeasured(token, amount, 1, to) {
                _deposited(token, amount - amount / 100, due);
            } catch {
                _notDeposited(due);
            }
        } else {
            try vault.deposit(token, amount, to) {
                _deposited(token, amount, due);
            } catch {
                _notDeposited(due);
            }
        }
    }

    function _depositable(address token) private view returns (bool) {
        return block.timestamp >= _depositsPausedUntil && !_closed[token];
    }

    function _deposited(address token, uint128 amount, bool due) private {
        if (!due) _break(Rule.Deposit, "a deposit went through a pause or a delisting");
        books[token].sent += amount;
        _replay();
    }

    function _notDeposited(bool due) private {
        if (!due) return _discard();
        _break(Rule.Deposit, "a good deposit was refused");
    }

    // ---------------------------------------------------------------- withdrawals

    function request(uint256 actor, uint256 which, uint256 to, uint128 amount, uint64 time)
        external
    {
        address owner = _actor(actor);
        Withdrawal memory w;
        w.owner = owner;
        w.token = _tokens[which % TOKENS];
        w.to = _recipient(w.token, to);
        w.amount = _amount(w.token, amount, 4600);
        w.nonce = seen + 1;
        // Mostly short, so that many expire.
        uint64 longest = to % 4 == 0 ? MAX_DEADLINE : 4 hours;
        w.deadline = uint64(block.timestamp) + uint64(bound(time, MIN_DEADLINE, longest));
        bool due = openRequests[owner] < MAX_OPEN && w.amount <= _limits[w.token].maxPayout;
        vm.prank(owner);
        try vault.requestWithdrawal(w.token, w.to, w.amount, w.deadline) returns (bytes32 id) {
            if (!due) _break(Rule.Request, "more requests than allowed");
            if (id != _id(Kind.Request, w)) _break(Rule.Id, "the id is not of these fields");
            _remember(Kind.Request, w);
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Request, "a good request was refused");
        }
    }

    function signIntent(uint256 actor, uint256 which, uint256 to, uint128 amount, uint256 nonce)
        external
    {
        address token = _tokens[which % TOKENS];
        _remember(
            Kind.Intent,
            _intent(
                _actor(actor),
                token,
                _recipient(token, to),
                _amount(token, amount, 4600),
                nonce % 512
            )
        );
    }

    function payOne(uint256 which) external {
        Known memory it = _due(which);
        PayoutItem memory item = _payoutItem(it);
        bytes32 leaf = _payoutLeaf(item);
        bytes[] memory signatures = _sign(_payoutDigest(leaf));
        bool due = block.timestamp >= _payoutsPausedUntil && _payableNow(it);
        _payable[it.id] = true;
        try vault.payout(item, signatures) {
            if (!due) _break(Rule.Payout, "paid what was not due");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Payout, "a good payout was refused");
        }
    }

    /// @dev From one place on, so that finished and repeated ones are among them.
    function payBatch(uint256 from, uint256 size) external {
        if (_known.length == 0) _discard();
        PayoutItem[] memory items = new PayoutItem[](bound(size, 1, 5));
        for (uint256 i = 0; i < items.length; ++i) {
            Known memory it = i == 0 ? _due(from) : _known[addmod(from, i, _known.length)];
            items[i] = _payoutItem(it);
            _payable[it.id] = true;
        }
        bytes32 root = _prove(items);
        bytes[] memory signatures = _sign(_payoutDigest(root));
        bool due = block.timestamp >= _payoutsPausedUntil;
        try vault.payoutBatch(items, root, signatures) {
            if (!due) _break(Rule.Payout, "a batch went through a pause");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Payout, "a batch was refused");
        }
    }

    /// @dev Anybody pays what has waited in the queue, in its window only.
    function finalize(uint256 which) external {
        Known memory it = _waiting(which);
        bool due = replayed[it.id] == State.Queued && _isOpen(it.id) && _covered(it.withdrawal)
            && block.timestamp >= _payoutsPausedUntil;
        vm.prank(relayer);
        try vault.finalize(it.kind, it.withdrawal) {
            if (!due) _break(Rule.Queue, "finalized what was not due");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Queue, "a good payout could not be finalized");
        }
    }

    function veto(uint256 which) external {
        // Rarely, or nothing would be left to finalize.
        if (which % 2 != 0) _discard();
        Known memory it = _waiting(which / 2);
        bool due = replayed[it.id] == State.Queued;
        vm.prank(guardian);
        try vault.veto(it.kind, it.withdrawal) {
            if (!due) _break(Rule.Queue, "vetoed what was not queued");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Queue, "a queued payout could not be vetoed");
        }
    }

    function refuseOne(uint256 which) external {
        // Rarely, or nothing would be left to pay.
        if (which % 4 != 0) _discard();
        Known memory it = _open(which / 4);
        RefusalItem memory item = _refusalItem(it.kind, it.withdrawal, RefusalReason.Operator);
        bytes[] memory signatures = _sign(_refusalDigest(_refusalLeaf(item)));
        bool due = replayed[it.id] == _beginning(it.kind);
        _refusable[it.id] = true;
        try vault.refuse(item, signatures) {
            if (!due) _break(Rule.Lifecycle, "refused what had ended");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Lifecycle, "a good refusal was refused");
        }
    }

    function refuseBatch(uint256 which) external {
        if (which % 4 != 0) _discard();
        RefusalItem[] memory items = new RefusalItem[](2);
        for (uint256 i = 0; i < items.length; ++i) {
            Known memory it = _open(which / 4 + i);
            items[i] = _refusalItem(it.kind, it.withdrawal, RefusalReason.VaultShort);
            _refusable[it.id] = true;
        }
        bytes32 root = _prove(items);
        vault.refuseBatch(items, root, _sign(_refusalDigest(root)));
        _replay();
    }

    /// @dev Anybody closes what expired, request or queued payout; nobody closes anything else.
    function cancel(uint256 which) external {
        Known memory it = _expired(which);
        bool due = _isExpired(it);
        vm.prank(relayer);
        try vault.cancelExpired(it.kind, it.withdrawal) {
            if (!due) _break(Rule.Cancel, "cancelled before its time");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Cancel, "an expired request could not be cancelled");
        }
    }

    function claim(uint256 which, uint256 to) external {
        (address owner, address token) = _creditor(which);
        address recipient = _recipients[to % RECIPIENTS];
        // The burner takes what gas there is and the rejecter says no: for ether, nobody can help.
        bool due = owed[token][owner] != 0 && _accepts(token, recipient);
        vm.prank(owner);
        try vault.claim{gas: 5_000_000}(token, recipient) {
            if (!due) _break(Rule.Claim, "claimed what was not owed");
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Claim, "a willing recipient's claim was refused");
        }
    }

    function invalidateNonce(uint256 actor, uint256 nonce) external {
        address owner = _actor(actor);
        nonce = nonce % 512;
        bool due = !_spoiled[owner][nonce];
        vm.prank(owner);
        try vault.invalidateNonce(nonce) {
            if (!due) _break(Rule.Lifecycle, "a nonce was spoiled twice");
            _spoiled[owner][nonce] = true;
            _replay();
        } catch {
            if (!due) _discard();
            else _break(Rule.Lifecycle, "a nonce could not be spoiled");
        }
    }

    // ---------------------------------------------------------------- operators

    function pause(uint256 which) external {
        if (which % 8 == 0) {
            vm.prank(pauser);
            vault.pauseDeposits();
            _depositsPausedUntil = uint64(block.timestamp) + 3 days;
        } else if (which % 8 == 1) {
            vm.prank(pauser);
            vault.pausePayouts();
            _payoutsPausedUntil = uint64(block.timestamp) + 3 days;
        } else {
            vm.startPrank(admin);
            vault.unpauseDeposits();
            vault.unpausePayouts();
            vm.stopPrank();
            (_depositsPausedUntil, _payoutsPausedUntil) = (0, 0);
        }
        _replay();
    }

    function relist(uint256 which) external {
        address token = which % 2 == 0 ? address(dollar) : ETHER;
        IVault.ListingConfig memory listing = token == ETHER ? _etherListing() : _dollarListing();
        vm.startPrank(admin);
        if (_closed[token]) {
            _relistOtherwise(listing, which);
            listing.payouts = _limits[token];
            vault.listToken(listing);
        } else {
            vault.delistToken(token);
        }
        vm.stopPrank();
        _closed[token] = !_closed[token];
        _replay();
    }

    /// @dev Even the admin cannot change what is write-once.
    function _relistOtherwise(IVault.ListingConfig memory listing, uint256 how) private {
        IVault.ListingConfig memory other = abi.decode(abi.encode(listing), (IVault.ListingConfig));
        if (how % 3 == 0) other.ledger += 1000;
        else if (how % 3 == 1) other.scaleDivisor *= 10;
        else other.creditsMeasuredDelta = true;
        try vault.listToken(other) {
            _break(Rule.Access, "what is write-once was written");
        } catch {}
    }

    /// @dev Another set of one to five out of the pool, and another threshold.
    function rotate(uint256 set, uint256 threshold) external {
        (address[] memory list, uint256[] memory keys) = _chosen(bound(set, 1, 31));
        threshold = bound(threshold, 1, list.length);
        vm.prank(admin);
        vault.setSigners(list, threshold);
        (signerList, signerKeys, _threshold) = (list, keys, threshold);
        _replay();
    }

    function _chosen(uint256 mask)
        private
        view
        returns (address[] memory list, uint256[] memory keys)
    {
        uint256 count;
        for (uint256 i = 0; i < _pool.length; ++i) {
            if (mask & (1 << i) != 0) ++count;
        }
        (list, keys) = (new address[](count), new uint256[](count));
        for (uint256 i = _pool.length; i > 0; --i) {
            if (mask & (1 << (i - 1)) == 0) continue;
            --count;
            (list[count], keys[count]) = (_pool[i - 1], _poolKeys[i - 1]);
        }
    }

    /// @dev Half the time until the window of a queued payout is over.
    function wait(uint256 which, uint64 time) external {
        time = uint64(bound(time, 1, 1 days));
        if (which % 2 == 0 && _known.length != 0) {
            uint256 opens = _windows[_waiting(which / 2).id].opens;
            if (opens > block.timestamp) time = uint64(opens - block.timestamp);
        }
        vm.warp(block.timestamp + time);
        vm.roll(block.number + time / 12);
    }
}
