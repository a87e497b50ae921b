// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "../utils/VaultTest.sol";

contract RequestTest is VaultTest {
    function test_TheIdCommitsToEveryField() public {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        Withdrawal memory w = Withdrawal(alice, bob, ETHER, 1 ether, 0, 3, deadline);
        bytes32 expected = _id(Kind.Request, w);
        _expectEvent();
        emit WithdrawalRequested(expected, ETHER, alice, 3, bob, 1 ether, deadline, 1001);
        vm.prank(alice);
        bytes32 id = vault.requestWithdrawal(ETHER, bob, 1 ether, deadline);
        assertEq(id, expected);
        assertEq(id, vault.withdrawalId(Kind.Request, w));
        _assertState(id, State.Requested);
        assertEq(vault.openWithdrawals(alice), 1);
    }

    function test_EqualRequestsHaveDifferentIds() public {
        (, bytes32 first) = _request(alice, ETHER, bob, 1 ether);
        (, bytes32 second) = _request(alice, ETHER, bob, 1 ether);
        assertNotEq(first, second);
    }

    function testFuzz_TheDeadlineWindowIsEnforced(uint64 deadline) public {
        uint64 earliest = uint64(block.timestamp) + MIN_DEADLINE;
        uint64 latest = uint64(block.timestamp) + MAX_DEADLINE;
        vm.prank(alice);
        if (deadline < earliest) {
            vm.expectRevert(abi.encodeWithSelector(DeadlineTooSoon.selector, deadline, earliest));
        } else if (deadline > latest) {
            vm.expectRevert(abi.encodeWithSelector(DeadlineTooFar.selector, deadline, latest));
        }
        vault.requestWithdrawal(ETHER, bob, 1 ether, deadline);
    }

    function test_TheEdgesOfTheWindowAreAllowed() public {
        vm.startPrank(alice);
        vault.requestWithdrawal(ETHER, bob, 1 ether, uint64(block.timestamp) + MIN_DEADLINE);
        vault.requestWithdrawal(ETHER, bob, 1 ether, uint64(block.timestamp) + MAX_DEADLINE);
        vm.stopPrank();
    }

    function test_AmountsAreCheckedAtOnce() public {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(WithdrawalBelowMinimum.selector, ETHER, 0, 0.001 ether)
        );
        vault.requestWithdrawal(ETHER, bob, 0, deadline);
        vm.expectRevert(
            abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, 1 ether + 1, ETHER_DIVISOR)
        );
        vault.requestWithdrawal(ETHER, bob, 1 ether + 1, deadline);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(0xdead)));
        vault.requestWithdrawal(address(0xdead), bob, 1 ether, deadline);
        vm.stopPrank();
    }

    function test_RecipientsThatWouldLoseTheMoneyAreRefused() public {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(RecipientNotAllowed.selector, address(0)));
        vault.requestWithdrawal(ETHER, address(0), 1 ether, deadline);
        vm.expectRevert(abi.encodeWithSelector(RecipientNotAllowed.selector, address(vault)));
        vault.requestWithdrawal(ETHER, address(vault), 1 ether, deadline);
        vm.stopPrank();
    }

    function test_OpenRequestsAreCappedPerOwner() public {
        for (uint256 i = 0; i < MAX_OPEN; ++i) {
            _request(alice, ETHER, bob, 1 ether);
        }
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(TooManyOpenWithdrawals.selector, alice, MAX_OPEN, MAX_OPEN)
        );
        vault.requestWithdrawal(ETHER, bob, 1 ether, uint64(block.timestamp) + 1 days);
        // Another owner is not concerned.
        _request(bob, ETHER, bob, 1 ether);
    }

    function test_ADelistedTokenCanStillBeWithdrawn() public {
        vm.prank(admin);
        vault.delistToken(ETHER);
        (, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _assertState(id, State.Requested);
    }

    function test_NoPauseStopsRequests() public {
        vm.startPrank(pauser);
        vault.pauseDeposits();
        vault.pausePayouts();
        vm.stopPrank();
        (, bytes32 id) = _request(alice, ETHER, bob, 1 ether);
        _assertState(id, State.Requested);
    }
}
