// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rejecter} from "../mocks/Accounts.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev Large payouts: queued, vetoed, finalized, expired.
contract QueueTest is VaultTest {
    address internal carol = makeAddr("carol");
    uint128 internal constant LARGE = 200 ether + ETHER_DIVISOR;

    function setUp() public override {
        super.setUp();
        vm.deal(alice, 5000 ether);
        _depositEther(alice, 2000 ether);
    }

    function _queue() private returns (Withdrawal memory w, bytes32 id) {
        (w, id) = _request(alice, ETHER, carol, LARGE);
        _payout(_requestItem(w));
        _assertState(id, State.Queued);
    }

    function _pass() private {
        vm.warp(block.timestamp + QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS);
    }

    // ---------------------------------------------------------------- queueing

    function test_ALargePayoutIsQueued() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, LARGE);
        uint64 readyAt = uint64(block.timestamp) + QUEUE_WINDOW;
        _expectEvent();
        emit PayoutQueued(
            id, ETHER, alice, 5, Kind.Request, 4, carol, LARGE, 0, readyAt, readyAt + QUEUE_LIFETIME
        );
        _payout(_requestItem(w));
        (uint64 time, uint64 number, uint64 expiry) = vault.queuedUntil(id);
        assertEq(time, readyAt);
        assertEq(number, block.number + QUEUE_BLOCKS);
        assertEq(expiry, readyAt + QUEUE_LIFETIME);
        assertEq(carol.balance, 0);
        // The ledger may count on the money until it leaves.
        assertEq(vault.accounted(ETHER), 2000 ether);
        assertEq(vault.openWithdrawals(alice), 1);
        assertEq(vault.lastSeq(), 5);
    }

    function testFuzz_TheThresholdItselfIsPaidAtOnce(uint128 amount) public {
        amount = uint128(bound(amount, 0.001 ether, 400 ether)) / ETHER_DIVISOR * ETHER_DIVISOR;
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, amount);
        _payout(_requestItem(w));
        _assertState(id, amount > 200 ether ? State.Queued : State.Paid);
    }

    function test_AnIntentIsQueuedToo() public {
        Withdrawal memory w = _intent(alice, ETHER, carol, LARGE, 9);
        _payout(_intentItem(w, aliceKey));
        _assertState(_id(Kind.Intent, w), State.Queued);
        _pass();
        vault.finalize(Kind.Intent, w);
        _assertState(_id(Kind.Intent, w), State.Paid);
        assertEq(carol.balance, LARGE);
    }

    function test_NothingIsQueuedAfterTheDeadlineOrTwice() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, LARGE);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.warp(uint256(w.deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(DeadlinePassed.selector, id, w.deadline));
        vault.payout(item, signatures);
        vm.warp(w.deadline);
        vault.payout(item, signatures);
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotPayable.selector, id, Kind.Request, State.Queued)
        );
        vault.payout(item, signatures);
    }

    function test_ABatchQueuesAndPaysSideBySide() public {
        PayoutItem[] memory items = new PayoutItem[](2);
        items[0] = _intentItem(_intent(alice, ETHER, carol, LARGE, 1), aliceKey);
        items[1] = _intentItem(_intent(alice, ETHER, carol, 1 ether, 2), aliceKey);
        _payoutBatch(items);
        _assertState(_id(Kind.Intent, items[0].withdrawal), State.Queued);
        _assertState(_id(Kind.Intent, items[1].withdrawal), State.Paid);
        assertEq(vault.lastSeq(), 5);
    }

    // ---------------------------------------------------------------- finalizing

    function testFuzz_AnybodyFinalizesWithinTheWindow(address caller, uint64 late) public {
        (Withdrawal memory w, bytes32 id) = _queue();
        _pass();
        vm.warp(block.timestamp + bound(late, 0, QUEUE_LIFETIME));
        _expectEvent();
        emit Paid(id, ETHER, alice, 6, Kind.Request, 4, carol, LARGE, 0);
        vm.prank(caller);
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Paid);
        assertEq(carol.balance, LARGE);
        assertEq(vault.accounted(ETHER), 2000 ether - LARGE);
        assertEq(vault.openWithdrawals(alice), 0);
        (uint64 time,,) = vault.queuedUntil(id);
        assertEq(time, 0);
    }

    function testFuzz_TheWindowIsTimeAndBlocks(uint64 time, uint64 blocks) public {
        (Withdrawal memory w, bytes32 id) = _queue();
        (uint64 finalizeAfter, uint64 finalizeAfterBlock,) = vault.queuedUntil(id);
        time = uint64(bound(time, 0, QUEUE_WINDOW));
        blocks = uint64(bound(blocks, 0, QUEUE_BLOCKS));
        vm.warp(block.timestamp + time);
        vm.roll(block.number + blocks);
        if (time < QUEUE_WINDOW || blocks < QUEUE_BLOCKS) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    PayoutWindowOpen.selector, id, finalizeAfter, finalizeAfterBlock
                )
            );
        }
        vault.finalize(Kind.Request, w);
    }

    function test_TimeAloneAndBlocksAloneAreNotEnough() public {
        (Withdrawal memory w,) = _queue();
        uint256 snapshot = vm.snapshotState();
        vm.warp(block.timestamp + QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS - 1);
        vm.expectPartialRevert(PayoutWindowOpen.selector);
        vault.finalize(Kind.Request, w);
        vm.revertToState(snapshot);
        vm.warp(block.timestamp + QUEUE_WINDOW - 1);
        vm.roll(block.number + QUEUE_BLOCKS);
        vm.expectPartialRevert(PayoutWindowOpen.selector);
        vault.finalize(Kind.Request, w);
    }

    function test_FinalizingEndsWithTheQueuesExpiry() public {
        (Withdrawal memory w, bytes32 id) = _queue();
        (,, uint64 expiresAt) = vault.queuedUntil(id);
        _pass();
        vm.warp(uint256(expiresAt) + 1);
        vm.expectRevert(abi.encodeWithSelector(PayoutQueueExpired.selector, id, expiresAt));
        vault.finalize(Kind.Request, w);
        vm.warp(expiresAt);
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Paid);
    }

    function test_NothingIsFinalizedTwiceOrUnqueued() public {
        (Withdrawal memory w, bytes32 id) = _queue();
        _pass();
        vault.finalize(Kind.Request, w);
        vm.expectRevert(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Paid));
        vault.finalize(Kind.Request, w);
        (Withdrawal memory other, bytes32 otherId) = _request(alice, ETHER, carol, LARGE);
        vm.expectRevert(abi.encodeWithSelector(PayoutNotQueued.selector, otherId, State.Requested));
        vault.finalize(Kind.Request, other);
        assertEq(carol.balance, LARGE);
    }

    function test_APauseStopsFinalizing() public {
        (Withdrawal memory w,) = _queue();
        _pass();
        vm.prank(pauser);
        vault.pausePayouts();
        vm.expectPartialRevert(PayoutsArePaused.selector);
        vault.finalize(Kind.Request, w);
    }

    function test_TheBooksMustStillHoldIt() public {
        (Withdrawal memory w,) = _queue();
        for (uint256 i = 0; i < 9; ++i) {
            _payout(_intentItem(_intent(alice, ETHER, bob, 200 ether, i), aliceKey));
        }
        _pass();
        vm.expectRevert(abi.encodeWithSelector(AccountedTooLow.selector, ETHER, 200 ether, LARGE));
        vault.finalize(Kind.Request, w);
        _depositEther(alice, 1 ether);
        vault.finalize(Kind.Request, w);
        assertEq(carol.balance, LARGE);
    }

    function test_AFailedPushIsDeferredAlsoWhenFinalized() public {
        address to = address(new Rejecter());
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, to, LARGE);
        _payout(_requestItem(w));
        _pass();
        _expectEvent();
        emit PayoutDeferred(id, ETHER, alice, 6, Kind.Request, 4, to, LARGE, 0);
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Deferred);
        assertEq(vault.claimable(ETHER, alice), LARGE);
    }

    // ---------------------------------------------------------------- veto

    function test_TheGuardianVetoes() public {
        (Withdrawal memory w, bytes32 id) = _queue();
        _expectEvent();
        emit PayoutVetoed(id, ETHER, alice, 6, Kind.Request, 4);
        vm.prank(guardian);
        vault.veto(Kind.Request, w);
        _assertState(id, State.Refused);
        assertEq(vault.openWithdrawals(alice), 0);
        assertEq(vault.accounted(ETHER), 2000 ether);
        _pass();
        vm.expectRevert(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Refused));
        vault.finalize(Kind.Request, w);
    }

    function testFuzz_OnlyTheGuardianVetoes(address caller) public {
        vm.assume(caller != guardian);
        (Withdrawal memory w,) = _queue();
        _expectUnauthorized(caller, GUARDIAN_ROLE);
        vm.prank(caller);
        vault.veto(Kind.Request, w);
    }

    function test_OnlyWhatIsQueuedIsVetoed() public {
        (Withdrawal memory w, bytes32 id) = _request(alice, ETHER, carol, 1 ether);
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(PayoutNotQueued.selector, id, State.Requested));
        vault.veto(Kind.Request, w);
    }

    // ---------------------------------------------------------------- expiry

    function testFuzz_AQueuedPayoutIsCancelledOnlyAfterItsOwnExpiry(uint64 when) public {
        (Withdrawal memory w, bytes32 id) = _queue();
        (,, uint64 expiresAt) = vault.queuedUntil(id);
        // The request's own deadline lies within: it does not count any more.
        assertGt(expiresAt, w.deadline);
        when = uint64(bound(when, block.timestamp, expiresAt));
        vm.warp(when);
        vm.expectRevert(abi.encodeWithSelector(PayoutQueueNotExpired.selector, id, expiresAt));
        vault.cancelExpired(Kind.Request, w);
        vm.warp(uint256(expiresAt) + 1);
        _expectEvent();
        emit Cancelled(id, ETHER, alice, 6, Kind.Request, 4);
        vault.cancelExpired(Kind.Request, w);
        _assertState(id, State.Cancelled);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    function test_AQueuedIntentIsCancelledToo() public {
        Withdrawal memory w = _intent(alice, ETHER, carol, LARGE, 9);
        bytes32 id = _id(Kind.Intent, w);
        _payout(_intentItem(w, aliceKey));
        vm.warp(block.timestamp + QUEUE_WINDOW + QUEUE_LIFETIME + 1);
        vault.cancelExpired(Kind.Intent, w);
        _assertState(id, State.Cancelled);
        assertEq(vault.openWithdrawals(alice), 0);
    }

    function test_TheQuorumCannotRefuseWhatIsQueued() public {
        (Withdrawal memory w, bytes32 id) = _queue();
        RefusalItem memory item = _refusalItem(Kind.Request, w, RefusalReason.Operator);
        bytes[] memory signatures = _refusalQuorum(_refusalLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalNotRefusable.selector, id, Kind.Request, State.Queued)
        );
        vault.refuse(item, signatures);
    }
}
