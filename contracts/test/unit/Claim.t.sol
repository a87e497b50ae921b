// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrantReceiver, Rejecter} from "../mocks/Accounts.sol";
import {BlockingToken} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

contract ClaimTest is VaultTest {
    address internal carol = makeAddr("carol");

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, address(new Rejecter()), 3 ether);
        _payout(_requestItem(w));
    }

    function test_TheOwnerClaimsToAnyAddress() public {
        _expectEvent();
        emit Claimed(ETHER, alice, carol, 6, 3 ether);
        vm.prank(alice);
        assertEq(vault.claim(ETHER, carol), 3 ether);
        assertEq(carol.balance, 3 ether);
        assertEq(vault.claimable(ETHER, alice), 0);
        assertEq(vault.claimableTotal(ETHER), 0);
        // Accounted went down when the payout was deferred, not a second time.
        assertEq(vault.accounted(ETHER), 97 ether);
        assertEq(address(vault).balance, 97 ether);
    }

    function testFuzz_NobodyElseClaims(address caller) public {
        vm.assume(caller != alice);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(NothingToClaim.selector, ETHER, caller));
        vault.claim(ETHER, carol);
    }

    function test_NothingIsClaimedTwice() public {
        vm.startPrank(alice);
        vault.claim(ETHER, carol);
        vm.expectRevert(abi.encodeWithSelector(NothingToClaim.selector, ETHER, alice));
        vault.claim(ETHER, carol);
        vm.stopPrank();
    }

    function test_AFailedClaimChangesNothing() public {
        address to = address(new Rejecter());
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(PushFailed.selector, ETHER, to, 3 ether));
        vault.claim(ETHER, to);
        assertEq(vault.claimable(ETHER, alice), 3 ether);
        assertEq(vault.lastSeq(), 5);
    }

    function test_AClaimCannotLoseTheMoney() public {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(RecipientNotAllowed.selector, address(0)));
        vault.claim(ETHER, address(0));
        vm.expectRevert(abi.encodeWithSelector(RecipientNotAllowed.selector, address(vault)));
        vault.claim(ETHER, address(vault));
        vm.stopPrank();
    }

    function test_NoPauseStopsAClaim() public {
        vm.startPrank(pauser);
        vault.pauseDeposits();
        vault.pausePayouts();
        vm.stopPrank();
        vm.prank(alice);
        vault.claim(ETHER, carol);
        assertEq(carol.balance, 3 ether);
    }

    function test_AClaimIsNotReentered() public {
        ReentrantReceiver to = new ReentrantReceiver();
        to.arm(address(vault), abi.encodeCall(vault.claim, (ETHER, address(to))));
        vm.prank(alice);
        vault.claim(ETHER, address(to));
        assertTrue(to.called());
        assertFalse(to.succeeded());
        assertEq(address(to).balance, 3 ether);
    }

    function test_ABlockedRecipientLeavesTokensToTheOwner() public {
        BlockingToken token = new BlockingToken();
        _list(address(token), 1600, false);
        token.mint(alice, 100);
        vm.startPrank(alice);
        token.approve(address(vault), 100);
        vault.deposit(address(token), 100, alice);
        vm.stopPrank();
        token.setBlocked(carol, true);
        (Withdrawal memory w, bytes32 id) = _request(alice, address(token), carol, 40);
        _payout(_requestItem(w));
        _assertState(id, State.Deferred);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(PushFailed.selector, address(token), carol, 40));
        vault.claim(address(token), carol);
        assertEq(vault.claim(address(token), bob), 40);
        vm.stopPrank();
        assertEq(token.balanceOf(bob), 40);
    }

    function testFuzz_SeveralDeferralsAddUp(uint8 count) public {
        uint256 n = bound(count, 1, 10);
        address to = address(new Rejecter());
        for (uint256 i = 0; i < n; ++i) {
            _payout(_intentItem(_intent(alice, ETHER, to, 1 ether, i), aliceKey));
        }
        vm.prank(alice);
        assertEq(vault.claim(ETHER, carol), (3 + n) * 1 ether);
    }
}
