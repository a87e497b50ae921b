// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {RateLimiter} from "@openzeppelin/contracts/utils/RateLimiter.sol";

import {IVault} from "../../src/interfaces/IVault.sol";
import {PlainToken} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev What a token's payouts are held to, beside the queue.
contract BudgetTest is VaultTest {
    using RateLimiter for RateLimiter.RefillingBucket;

    event PayoutLimitsSet(
        address indexed token,
        uint128 maxPayout,
        uint128 queueAbove,
        uint128 budgetCapacity,
        uint32 budgetPeriod
    );
    event PayoutSkipped(bytes32 indexed id, bytes fault);

    RateLimiter.RefillingBucket private _model;
    address private _carol = makeAddr("carol");
    uint256 private _nonce;

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 900 ether);
        _depositDollar(alice, 100_000 * DOLLAR);
        _limit(ETHER, 100 ether, 100 ether, 100 ether, 1 days);
    }

    function _limit(address token, uint128 max, uint128 queue, uint128 capacity, uint32 period)
        private
    {
        vm.prank(admin);
        vault.setPayoutLimits(token, IVault.PayoutLimits(max, queue, capacity, period));
    }

    function _pay(address token, uint128 amount) private {
        _payout(_intentItem(_intent(alice, token, _carol, amount, _nonce++), aliceKey));
    }

    function _expectExhausted(address token, uint128 amount, uint128 available) private {
        PayoutItem memory item =
            _intentItem(_intent(alice, token, _carol, amount, _nonce++), aliceKey);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(PayoutBudgetExhausted.selector, token, amount, available)
        );
        vault.payout(item, signatures);
    }

    function test_ABudgetIsSpentAndRefills() public {
        assertEq(vault.payoutBudget(ETHER), 100 ether);
        _pay(ETHER, 75 ether);
        assertEq(vault.payoutBudget(ETHER), 25 ether);
        _expectExhausted(ETHER, 26 ether, 25 ether);
        _pay(ETHER, 25 ether);
        assertEq(vault.payoutBudget(ETHER), 0);
        _expectExhausted(ETHER, 1 ether, 0);
        vm.warp(block.timestamp + 12 hours);
        assertEq(vault.payoutBudget(ETHER), 50 ether);
        _pay(ETHER, 50 ether);
        vm.warp(block.timestamp + 10 days);
        assertEq(vault.payoutBudget(ETHER), 100 ether);
    }

    function test_EachTokenHasItsOwn() public {
        _pay(ETHER, 100 ether);
        uint128 before = vault.payoutBudget(address(dollar));
        _pay(address(dollar), 1000 * DOLLAR);
        // Rounded up to a 256th of a second of refill.
        uint128 left = before - 1000 * DOLLAR;
        assertLe(vault.payoutBudget(address(dollar)), left);
        assertGe(vault.payoutBudget(address(dollar)), left - before / (1 days * 256) - 1);
        assertEq(vault.payoutBudget(ETHER), 0);
        assertEq(vault.payoutBudget(address(0xdead)), 0);
    }

    /// @dev The same history on the library's bucket, which keeps a level and a time.
    function testFuzz_ABudgetAgreesWithTheLibrarysBucket(uint256 seed) public {
        PlainToken token = new PlainToken(18);
        vm.prank(admin);
        vault.listToken(
            IVault.ListingConfig(
                address(token),
                3000,
                1,
                false,
                1,
                1,
                type(uint128).max,
                IVault.PayoutLimits(1e24, type(uint128).max, 1e24, 1 days)
            )
        );
        token.mint(alice, 1e30);
        vm.startPrank(alice);
        token.approve(address(vault), 1e30);
        vault.deposit(address(token), 1e30, alice);
        vm.stopPrank();
        _model.updateSettings(1 days, 1e24);
        uint256 worth = uint256(1e24) / (1 days * 256) + 1;
        for (uint256 i = 1; i <= 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + seed % 6 hours);
            uint256 expected = _model.available("");
            uint256 actual = vault.payoutBudget(address(token));
            // Each payout may cost one 256th of a second more than its amount, never less.
            assertLe(actual, expected + 1);
            assertGe(actual + i * (worth + 1), expected);
            if (actual == 0) continue;
            uint128 amount = uint128(bound(seed >> 64, 1, actual));
            _pay(address(token), amount);
            assertTrue(_model.tryConsume("", amount));
        }
    }

    function testFuzz_NoWindowLetsMoreOutThanTheBudget(uint256 seed) public {
        uint256 start = block.timestamp;
        uint256 paid = 0;
        for (uint256 i = 0; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + seed % 3 hours);
            uint128 left = vault.payoutBudget(ETHER) / ETHER_DIVISOR * ETHER_DIVISOR;
            if (left < 0.001 ether || paid + left > 900 ether) continue;
            _pay(ETHER, left);
            paid += left;
            assertLe(paid, 100 ether + 100 ether * (block.timestamp - start) / 1 days);
        }
        assertGt(paid, 0);
    }

    function test_ABatchSkipsWhatTheBudgetCannotGive() public {
        PayoutItem[] memory items = new PayoutItem[](3);
        items[0] = _intentItem(_intent(alice, ETHER, _carol, 60 ether, 101), aliceKey);
        items[1] = _intentItem(_intent(alice, ETHER, _carol, 60 ether, 102), aliceKey);
        items[2] = _intentItem(_intent(alice, ETHER, _carol, 40 ether, 103), aliceKey);
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        _expectEvent();
        emit PayoutSkipped(
            _id(Kind.Intent, items[1].withdrawal),
            abi.encodeWithSelector(PayoutBudgetExhausted.selector, ETHER, 60 ether, 40 ether)
        );
        vault.payoutBatch(items, root, signatures);
        assertEq(_carol.balance, 100 ether);
        // It stays payable: the same item passes when the budget refilled.
        _assertState(_id(Kind.Intent, items[1].withdrawal), State.None);
        vm.warp(block.timestamp + 15 hours);
        vault.payoutBatch(items, root, signatures);
        assertEq(_carol.balance, 160 ether);
    }

    function test_TheBudgetIsSpentWhenAPayoutIsQueuedNotWhenItIsPaid() public {
        _limit(ETHER, 100 ether, 10 ether, 100 ether, 1 days);
        Withdrawal memory w = _intent(alice, ETHER, _carol, 80 ether, 500);
        _payout(_intentItem(w, aliceKey));
        assertEq(vault.payoutBudget(ETHER), 20 ether);
        vm.warp(block.timestamp + QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS);
        assertEq(vault.payoutBudget(ETHER), 100 ether);
        vault.finalize(Kind.Intent, w);
        assertEq(vault.payoutBudget(ETHER), 100 ether);
    }

    function test_AVetoGivesNoBudgetBack() public {
        _limit(ETHER, 100 ether, 10 ether, 100 ether, 1 days);
        Withdrawal memory w = _intent(alice, ETHER, _carol, 80 ether, 500);
        _payout(_intentItem(w, aliceKey));
        vm.prank(guardian);
        vault.veto(Kind.Intent, w);
        assertEq(vault.payoutBudget(ETHER), 20 ether);
    }

    function test_ARefusalCostsNoBudget() public {
        (Withdrawal memory w,) = _request(alice, ETHER, _carol, 50 ether);
        _refuse(_refusalItem(Kind.Request, w, RefusalReason.Operator));
        assertEq(vault.payoutBudget(ETHER), 100 ether);
    }

    // ---------------------------------------------------------------- the largest payout

    function testFuzz_ARequestAboveTheLargestPayoutReverts(uint128 amount) public {
        amount =
            uint128(bound(amount, 100 ether + ETHER_DIVISOR, 1e30)) / ETHER_DIVISOR * ETHER_DIVISOR;
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalAboveMaximum.selector, ETHER, amount, 100 ether)
        );
        vm.prank(alice);
        vault.requestWithdrawal(ETHER, _carol, amount, uint64(block.timestamp) + 1 days);
    }

    function test_ALoweredMaximumHoldsForOlderRequests() public {
        (Withdrawal memory w,) = _request(alice, ETHER, _carol, 50 ether);
        _limit(ETHER, 40 ether, 40 ether, 100 ether, 1 days);
        PayoutItem memory item = _requestItem(w);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalAboveMaximum.selector, ETHER, 50 ether, 40 ether)
        );
        vault.payout(item, signatures);
        // It is not stuck: it expires as every request does.
        vm.warp(uint256(w.deadline) + 1);
        vault.cancelExpired(Kind.Request, w);
    }

    function test_AnIntentAboveTheMaximumIsNotPaid() public {
        PayoutItem memory item = _intentItem(_intent(alice, ETHER, _carol, 101 ether, 7), aliceKey);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalAboveMaximum.selector, ETHER, 101 ether, 100 ether)
        );
        vault.payout(item, signatures);
    }

    // ---------------------------------------------------------------- setting

    function test_LimitsAreStoredExactlyAndAnnounced() public {
        _expectEvent();
        emit PayoutLimitsSet(address(dollar), 7 * DOLLAR, 5 * DOLLAR, 9 * DOLLAR, 77);
        _limit(address(dollar), 7 * DOLLAR, 5 * DOLLAR, 9 * DOLLAR, 77);
        IVault.PayoutLimits memory limits = vault.listingOf(address(dollar)).payouts;
        assertEq(limits.maxPayout, 7 * DOLLAR);
        assertEq(limits.queueAbove, 5 * DOLLAR);
        assertEq(limits.budgetCapacity, 9 * DOLLAR);
        assertEq(limits.budgetPeriod, 77);
        assertEq(vault.lastSeq(), 4);
    }

    function test_UnsoundLimitsAreRefused() public {
        uint128 none = type(uint128).max;
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(PayoutBudgetIsZero.selector, ETHER));
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(0, none, 0, 1 days));
        vm.expectRevert(abi.encodeWithSelector(PayoutBudgetIsZero.selector, ETHER));
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(1 ether, none, 1 ether, 0));
        vm.expectRevert(
            abi.encodeWithSelector(
                PayoutMaximumOutOfRange.selector, ETHER, 2 ether, 0.001 ether, 1 ether
            )
        );
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(2 ether, none, 1 ether, 1 days));
        vm.expectRevert(
            abi.encodeWithSelector(PayoutMaximumOutOfRange.selector, ETHER, 1, 0.001 ether, 1 ether)
        );
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(1, none, 1 ether, 1 days));
        vm.expectRevert(abi.encodeWithSelector(LimitTooPrecise.selector, 1e20 + 1, (1 << 40) - 1));
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(1 ether, none, 1e20 + 1, 1 days));
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(1)));
        vault.setPayoutLimits(address(1), IVault.PayoutLimits(1, none, 1, 1 days));
        vm.stopPrank();
    }

    function test_WhatWasSpentStaysSpentAsAShare() public {
        _pay(ETHER, 50 ether);
        _limit(ETHER, 10 ether, 10 ether, 10 ether, 1 days);
        assertEq(vault.payoutBudget(ETHER), 5 ether);
        // A shorter period than what is owed leaves nothing, for a while.
        _limit(ETHER, 10 ether, 10 ether, 10 ether, 1 hours);
        assertEq(vault.payoutBudget(ETHER), 0);
    }
}
