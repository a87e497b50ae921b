// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BlockingToken, CallingToken} from "../mocks/Tokens.sol";
import {VaultTest} from "../utils/VaultTest.sol";

contract DepositTest is VaultTest {
    function test_EtherIsCreditedToTheBeneficiary() public {
        _expectEvent();
        emit Deposited(3, ETHER, bob, alice, 2 ether, 1001);
        _depositEther(bob, 2 ether);
        assertEq(vault.accounted(ETHER), 2 ether);
        assertEq(address(vault).balance, 2 ether);
        assertEq(vault.lastSeq(), 3);
    }

    function test_DollarsAreCreditedToTheBeneficiary() public {
        uint256 before = dollar.balanceOf(alice);
        _expectEvent();
        emit Deposited(3, address(dollar), bob, alice, 25 * DOLLAR, 1002);
        _depositDollar(bob, 25 * DOLLAR);
        assertEq(vault.accounted(address(dollar)), 25 * DOLLAR);
        assertEq(dollar.balanceOf(address(vault)), 25 * DOLLAR);
        assertEq(dollar.balanceOf(alice), before - 25 * DOLLAR);
    }

    function testFuzz_EveryDivisibleAmountIsCreditedExactly(uint128 units, address owner) public {
        vm.assume(owner != address(0));
        uint128 amount = uint128(bound(units, 100, 100_000_000)) * DOLLAR_DIVISOR;
        _depositDollar(owner, amount);
        assertEq(vault.accounted(address(dollar)), amount);
    }

    function testFuzz_NothingIndivisibleIsTaken(uint128 amount) public {
        amount = uint128(bound(amount, DOLLAR, 1_000_000 * DOLLAR));
        vm.assume(amount % DOLLAR_DIVISOR != 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                AmountNotDivisible.selector, address(dollar), amount, DOLLAR_DIVISOR
            )
        );
        _depositDollar(bob, amount);
        assertEq(vault.lastSeq(), 2);
    }

    function testFuzz_IndivisibleEtherIsRefused(uint128 amount) public {
        amount = uint128(bound(amount, 0.001 ether, 100 ether));
        vm.assume(amount % ETHER_DIVISOR != 0);
        vm.expectRevert(
            abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, amount, ETHER_DIVISOR)
        );
        _depositEther(bob, amount);
    }

    function test_BelowTheMinimumIsRefused() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                DepositBelowMinimum.selector, address(dollar), DOLLAR - DOLLAR_DIVISOR, DOLLAR
            )
        );
        _depositDollar(bob, DOLLAR - DOLLAR_DIVISOR);
        vm.expectRevert(abi.encodeWithSelector(DepositBelowMinimum.selector, ETHER, 0, 0.001 ether));
        _depositEther(bob, 0);
        _depositDollar(bob, DOLLAR);
    }

    function test_TheCapHoldsAndNamesTheRoom() public {
        vm.prank(admin);
        vault.setLimits(address(dollar), DOLLAR, DOLLAR, 100 * DOLLAR);
        _depositDollar(bob, 60 * DOLLAR);
        vm.expectRevert(
            abi.encodeWithSelector(
                DepositCapReached.selector, address(dollar), 41 * DOLLAR, 40 * DOLLAR
            )
        );
        _depositDollar(bob, 41 * DOLLAR);
        _depositDollar(bob, 40 * DOLLAR);
        // A cap below what is held leaves no room, and does not underflow.
        vm.prank(admin);
        vault.setLimits(address(dollar), DOLLAR, DOLLAR, 50 * DOLLAR);
        vm.expectRevert(
            abi.encodeWithSelector(DepositCapReached.selector, address(dollar), DOLLAR, 0)
        );
        _depositDollar(bob, DOLLAR);
    }

    function test_NobodyIsNoBeneficiary() public {
        vm.expectRevert(OwnerIsZero.selector);
        _depositEther(address(0), 1 ether);
        vm.expectRevert(OwnerIsZero.selector);
        _depositDollar(address(0), DOLLAR);
    }

    function test_PlainEtherIsRefused() public {
        vm.prank(alice);
        (bool success, bytes memory answer) = address(vault).call{value: 1 ether}("");
        assertFalse(success);
        assertEq(bytes4(answer), UseDepositEther.selector);
        vm.prank(alice);
        (success,) = address(vault).call{value: 1 ether}(hex"12345678");
        assertFalse(success);
    }

    function test_EtherNeverReachesTheTokenPath() public {
        vm.prank(alice);
        vm.expectRevert(EtherIsNotErc20.selector);
        vault.deposit(ETHER, 1 ether, bob);
    }

    function test_UnlistedTokensAreRefused() public {
        address stranger = address(new BlockingToken());
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, stranger));
        vault.deposit(stranger, 1, bob);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(TokenNotListed.selector, address(0)));
        vault.deposit(address(0), 1, bob);
    }

    function test_ADonationIsCreditedToNobody() public {
        vm.prank(alice);
        // The return value is of no interest: the token reverts on failure.
        assertTrue(dollar.transfer(address(vault), 5 * DOLLAR));
        assertEq(vault.accounted(address(dollar)), 0);
        assertEq(vault.lastSeq(), 2);
        // Nor is it credited to whoever deposits next.
        _depositDollar(bob, DOLLAR);
        assertEq(vault.accounted(address(dollar)), DOLLAR);
    }

    function test_ForcedEtherStaysOutsideTheBooks() public {
        vm.deal(address(vault), 7 ether);
        _depositEther(bob, 1 ether);
        assertEq(vault.accounted(ETHER), 1 ether);
        assertEq(address(vault).balance, 8 ether);
    }

    function test_ADonationDuringATransferIsRefused() public {
        CallingToken token = new CallingToken();
        _list(address(token), 1500, false);
        token.mint(alice, 100);
        token.mint(address(token), 10);
        vm.prank(alice);
        token.approve(address(vault), 100);
        // The token sends the vault ten more while the deposit is under way.
        vm.prank(address(token));
        token.approve(address(this), 10);
        token.arm(address(this), abi.encodeCall(this.donate, (token)));
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(ReceivedOtherAmount.selector, address(token), 100, 110)
        );
        vault.deposit(address(token), 100, bob);
    }

    bool private _donated;

    function donate(CallingToken token) external {
        if (_donated) return;
        _donated = true;
        assertTrue(token.transferFrom(address(token), address(vault), 10));
    }

    function test_OnlyTheCallersAllowanceIsEverSpent() public {
        // Alice approved the vault; Bob cannot deposit her money for himself.
        uint256 before = dollar.balanceOf(alice);
        vm.prank(bob);
        vault.deposit(address(dollar), DOLLAR, bob);
        assertEq(dollar.balanceOf(alice), before);
    }
}
