// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "forge-std/Test.sol";
import {SovrFixture} from "sovr/kit/SovrFixture.sol";
import {IVault} from "sovr/src/interfaces/IVault.sol";
import {IVaultErrors} from "sovr/src/interfaces/IVaultErrors.sol";
import {IVaultEvents} from "sovr/src/interfaces/IVaultEvents.sol";
import {IVaultTypes} from "sovr/src/interfaces/IVaultTypes.sol";

import {PayIn} from "../src/PayIn.sol";

contract PayInTest is Test, IVaultTypes {
    SovrFixture private _sovr = new SovrFixture();
    IVault private _vault = _sovr.vault();
    IERC20 private _dollar = IERC20(address(_sovr.dollar()));
    PayIn private _payIn = new PayIn(_vault);
    address private _user = makeAddr("user");
    address private _payer = makeAddr("payer");

    function setUp() public {
        _sovr.mintDollars(_payer, 100e6);
        vm.deal(_payer, 10 ether);
        vm.prank(_payer);
        _dollar.approve(address(_payIn), type(uint256).max);
    }

    function test_DollarsAreCreditedToTheUser() public {
        vm.expectEmit(address(_vault));
        emit IVaultEvents.Deposited(3, address(_dollar), _user, address(_payIn), 12_340_000, 1002);
        vm.prank(_payer);
        assertEq(_payIn.payIn(_dollar, 12_345_678, _user), 12_340_000);
        assertEq(_dollar.balanceOf(_payer), 100e6 - 12_340_000);
        assertEq(_dollar.balanceOf(address(_payIn)), 0);
    }

    function test_EtherIsCreditedAndTheChangeReturned() public {
        vm.prank(_payer);
        assertEq(_payIn.payInEther{value: 1 ether + 1}(_user), 1 ether);
        assertEq(_payer.balance, 9 ether);
        assertEq(_vault.accounted(_sovr.ETHER()), 1 ether);
    }

    function test_AnUnlistedTokenIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.TokenNotListed.selector, address(this)));
        _payIn.payIn(IERC20(address(this)), 1, _user);
    }

    function test_APauseReachesTheCaller() public {
        _sovr.pauseDeposits();
        vm.prank(_payer);
        vm.expectPartialRevert(IVaultErrors.DepositsArePaused.selector);
        _payIn.payIn(_dollar, 1e6, _user);
    }

    function test_WhatWasPaidInCanBeWithdrawn() public {
        vm.prank(_payer);
        _payIn.payIn(_dollar, 10e6, _user);
        Withdrawal memory request = _request(4e6);
        _sovr.pay(request);
        assertEq(_dollar.balanceOf(_user), 4e6);
        assertEq(_vault.accounted(address(_dollar)), 6e6);
        request = _request(6e6);
        _sovr.refuse(request, RefusalReason.Operator);
        bytes32 id = _vault.withdrawalId(Kind.Request, request);
        assertEq(uint256(_vault.stateOf(id)), uint256(State.Refused));
    }

    function _request(uint128 amount) private returns (Withdrawal memory) {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        vm.prank(_user);
        _vault.requestWithdrawal(address(_dollar), _user, amount, deadline);
        return _sovr.lastRequest(_user, address(_dollar), _user, amount, deadline);
    }
}
