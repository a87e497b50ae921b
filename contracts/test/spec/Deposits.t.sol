// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FeeToken, GenerousToken, PlainToken} from "../mocks/Tokens.sol";
import {SpecBase} from "./SpecBase.sol";

contract DepositsSpecTest is SpecBase {
    FeeToken private _fee;
    GenerousToken private _generous;

    function setUp() public override {
        super.setUp();
        _fee = new FeeToken();
        _generous = new GenerousToken();
        _list(address(_fee), 2001, true);
        _list(address(_generous), 2002, true);
        vm.startPrank(alice);
        _fee.mint(alice, 1000);
        _fee.approve(address(vault), 1000);
        _generous.mint(alice, 1000);
        _generous.approve(address(vault), 1000);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- depositEther

    function test_DepositEther_RevertWhen_DepositsArePaused() external {
        uint64 until = _pauseBoth();
        _reverts(abi.encodeWithSelector(DepositsArePaused.selector, until));
        _depositEther(alice, 1 ether);
    }

    function test_DepositEther_RevertWhen_TheOwnerIsZero() external {
        _reverts(abi.encodeWithSelector(OwnerIsZero.selector));
        _depositEther(address(0), 1 ether);
    }

    function test_DepositEther_RevertGiven_EtherIsDelisted() external {
        vm.prank(admin);
        vault.delistToken(ETHER);
        _reverts(TokenDepositsStopped.selector, ETHER);
        _depositEther(alice, 1 ether);
    }

    function test_DepositEther_RevertWhen_TheAmountIsBelowTheMinimum() external {
        uint128 amount = 0.001 ether - ETHER_DIVISOR;
        _reverts(abi.encodeWithSelector(DepositBelowMinimum.selector, ETHER, amount, 0.001 ether));
        _depositEther(alice, amount);
    }

    function test_DepositEther_RevertWhen_TheAmountIsNotDivisible() external {
        uint128 amount = 1 ether + 1;
        _reverts(abi.encodeWithSelector(AmountNotDivisible.selector, ETHER, amount, ETHER_DIVISOR));
        _depositEther(alice, amount);
    }

    function test_DepositEther_RevertWhen_TheAmountExceedsTheRoomUnderTheCap() external {
        vm.prank(admin);
        vault.setLimits(ETHER, 0.001 ether, 0.001 ether, 5 ether);
        _depositEther(alice, 4 ether);
        _reverts(
            abi.encodeWithSelector(
                DepositCapReached.selector, ETHER, uint128(1 ether) + ETHER_DIVISOR, 1 ether
            )
        );
        _depositEther(alice, 1 ether + ETHER_DIVISOR);
        _depositEther(alice, 1 ether);
    }

    function test_DepositEther_WhenNothingStandsInTheWay() external {
        // it should emit Deposited with the next number
        _expectEvent();
        emit Deposited(5, ETHER, bob, alice, 1 ether, 1001);
        _depositEther(bob, 1 ether);
        // it should credit the amount to the owner
        assertEq(vault.accounted(ETHER), 1 ether);
        assertEq(vault.lastSeq(), 5);
    }

    // ---------------------------------------------------------------- deposit

    function test_Deposit_RevertWhen_DepositsArePaused() external {
        uint64 until = _pauseBoth();
        _reverts(abi.encodeWithSelector(DepositsArePaused.selector, until));
        _depositDollar(alice, DOLLAR);
    }

    function test_Deposit_RevertWhen_TheOwnerIsZero() external {
        _reverts(abi.encodeWithSelector(OwnerIsZero.selector));
        _depositDollar(address(0), DOLLAR);
    }

    function test_Deposit_RevertWhen_TheTokenIsNotListed() external {
        address token = address(new PlainToken(18));
        _reverts(TokenNotListed.selector, token);
        vm.prank(alice);
        vault.deposit(token, 1, alice);
    }

    function test_Deposit_RevertWhen_TheTokenIsEther() external {
        _reverts(abi.encodeWithSelector(EtherIsNotErc20.selector));
        vm.prank(alice);
        vault.deposit(ETHER, 1 ether, alice);
    }

    function test_Deposit_RevertGiven_TheTokenIsDelisted() external {
        vm.prank(admin);
        vault.delistToken(address(dollar));
        _reverts(TokenDepositsStopped.selector, address(dollar));
        _depositDollar(alice, DOLLAR);
    }

    function test_Deposit_RevertGiven_TheTokenHasLostItsCode() external {
        vm.etch(address(dollar), "");
        _reverts(TokenHasNoCode.selector, address(dollar));
        _depositDollar(alice, DOLLAR);
    }

    function test_Deposit_RevertWhen_SomethingElseThanTheAmountArrives() external {
        _reverts(abi.encodeWithSelector(ReceivedOtherAmount.selector, _fee, 1000, 990));
        vm.prank(alice);
        vault.deposit(address(_fee), 1000, alice);
    }

    function test_Deposit_RevertWhen_TheAmountIsBelowTheMinimum() external {
        uint128 amount = DOLLAR - DOLLAR_DIVISOR;
        _reverts(abi.encodeWithSelector(DepositBelowMinimum.selector, dollar, amount, DOLLAR));
        _depositDollar(alice, amount);
    }

    function test_Deposit_RevertWhen_TheAmountIsNotDivisible() external {
        uint128 amount = DOLLAR + 1;
        _reverts(
            abi.encodeWithSelector(AmountNotDivisible.selector, dollar, amount, DOLLAR_DIVISOR)
        );
        _depositDollar(alice, amount);
    }

    function test_Deposit_RevertWhen_TheAmountExceedsTheRoomUnderTheCap() external {
        vm.prank(admin);
        vault.setLimits(address(dollar), DOLLAR, DOLLAR, 5 * DOLLAR);
        _depositDollar(alice, 4 * DOLLAR);
        _reverts(abi.encodeWithSelector(DepositCapReached.selector, dollar, 2 * DOLLAR, DOLLAR));
        _depositDollar(alice, 2 * DOLLAR);
        _depositDollar(alice, DOLLAR);
    }

    function test_Deposit_WhenNothingStandsInTheWay() external {
        // it should emit Deposited with the next number
        _expectEvent();
        emit Deposited(5, address(dollar), bob, alice, 3 * DOLLAR, 1002);
        _depositDollar(bob, 3 * DOLLAR);
        // it should credit the amount to the owner
        assertEq(vault.accounted(address(dollar)), 3 * DOLLAR);
        assertEq(dollar.balanceOf(address(vault)), 3 * DOLLAR);
    }

    // ---------------------------------------------------------------- depositMeasured

    function test_DepositMeasured_RevertGiven_TheTokenIsNotListedAsOneThatTakesFees() external {
        _reverts(UseDeposit.selector, address(dollar));
        vm.prank(alice);
        vault.depositMeasured(address(dollar), DOLLAR, 1, alice);
    }

    function test_DepositMeasured_RevertWhen_LessThanTheLeastWantedArrives() external {
        _reverts(abi.encodeWithSelector(ReceivedTooLittle.selector, _fee, 990, 991));
        vm.prank(alice);
        vault.depositMeasured(address(_fee), 1000, 991, alice);
    }

    function test_DepositMeasured_RevertWhen_MoreThanTheAmountArrives() external {
        _reverts(abi.encodeWithSelector(ReceivedOtherAmount.selector, _generous, 1000, 1001));
        vm.prank(alice);
        vault.depositMeasured(address(_generous), 1000, 1, alice);
    }

    function test_DepositMeasured_WhenAFeeIsTaken() external {
        // it should credit what arrived
        _expectEvent();
        emit Deposited(5, address(_fee), bob, alice, 990, 2001);
        vm.prank(alice);
        assertEq(vault.depositMeasured(address(_fee), 1000, 990, bob), 990);
        assertEq(vault.accounted(address(_fee)), 990);
    }

    // ---------------------------------------------------------------- depositWithPermit

    function test_DepositWithPermit_RevertWhen_TheTokenIsNotListed() external {
        address token = address(new PlainToken(18));
        _reverts(TokenNotListed.selector, token);
        vm.prank(alice);
        vault.depositWithPermit(token, 1, alice, 0, 27, 0, 0);
    }

    function test_DepositWithPermit_RevertWhen_TheTokenIsEther() external {
        _reverts(abi.encodeWithSelector(EtherIsNotErc20.selector));
        vm.prank(alice);
        vault.depositWithPermit(ETHER, 1 ether, alice, 0, 27, 0, 0);
    }

    function test_DepositWithPermit_RevertGiven_TheTokenSwallowsThePermit() external {
        vm.prank(alice);
        dollar.approve(address(vault), DOLLAR - 1);
        vm.mockCall(address(dollar), abi.encodeWithSelector(PERMIT), "");
        _reverts(
            abi.encodeWithSelector(
                PermitLeftAllowanceTooLow.selector, dollar, alice, DOLLAR - 1, DOLLAR
            )
        );
        vm.prank(alice);
        vault.depositWithPermit(address(dollar), DOLLAR, alice, block.timestamp, 27, 0, 0);
    }

    function test_DepositWithPermit_GivenSomebodyElseHasUsedThePermit() external {
        // it should credit the amount
        vm.prank(alice);
        dollar.approve(address(vault), DOLLAR);
        vm.mockCallRevert(address(dollar), abi.encodeWithSelector(PERMIT), "used");
        vm.prank(alice);
        vault.depositWithPermit(address(dollar), DOLLAR, bob, block.timestamp, 27, 0, 0);
        assertEq(vault.accounted(address(dollar)), DOLLAR);
    }

    function test_DepositWithPermit_WhenThePermitIsGood() external {
        // it should credit the amount
        vm.prank(alice);
        dollar.approve(address(vault), 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(aliceKey, _permitDigest(DOLLAR));
        _expectEvent();
        emit Deposited(5, address(dollar), bob, alice, DOLLAR, 1002);
        vm.prank(alice);
        vault.depositWithPermit(address(dollar), DOLLAR, bob, block.timestamp, v, r, s);
        assertEq(vault.accounted(address(dollar)), DOLLAR);
    }

    bytes4 private constant PERMIT =
        bytes4(keccak256("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"));

    function _permitDigest(uint256 amount) private view returns (bytes32) {
        (, bytes memory separator) =
            address(dollar).staticcall(abi.encodeWithSignature("DOMAIN_SEPARATOR()"));
        bytes32 typehash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        bytes32 structHash =
            keccak256(abi.encode(typehash, alice, address(vault), amount, 0, block.timestamp));
        return keccak256(abi.encodePacked(hex"1901", abi.decode(separator, (bytes32)), structHash));
    }

    // ---------------------------------------------------------------- receive

    function test_Receive_RevertWhen_EtherIsSentWithoutACall() external {
        vm.prank(alice);
        (bool success, bytes memory answer) = address(vault).call{value: 1 ether}("");
        assertFalse(success);
        assertEq(bytes4(answer), UseDepositEther.selector);
    }
}
