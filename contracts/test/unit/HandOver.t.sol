// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HandOver} from "../../script/HandOver.s.sol";
import {IAccessControl, IAccessControlDefaultAdminRules, VaultTest} from "../utils/VaultTest.sol";

/// @dev The handover script, as it is run: whoever holds the key is the sender of its broadcasts.
contract HandOverTest is VaultTest {
    HandOver private _script;
    IAccessControlDefaultAdminRules private _rules;

    function setUp() public override {
        // The script broadcasts as forge's default sender here.
        admin = DEFAULT_SENDER;
        super.setUp();
        _rules = IAccessControlDefaultAdminRules(address(vault));
        _script = new HandOver();
        vm.setEnv("SOVR_VAULT", vm.toString(address(vault)));
        vm.setEnv("SOVR_NEW_ADMIN", vm.toString(DEFAULT_SENDER));
    }

    function test_TwoStepsAndADelay() public {
        _script.begin();
        (address pending, uint48 acceptAfter) = _rules.pendingDefaultAdmin();
        assertEq(pending, DEFAULT_SENDER);
        assertEq(acceptAfter, block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(HandOver.AcceptLater.selector, acceptAfter));
        _script.accept();
        vm.warp(uint256(acceptAfter) + 1);
        _script.accept();
        assertEq(_rules.defaultAdmin(), DEFAULT_SENDER);
        (pending,) = _rules.pendingDefaultAdmin();
        assertEq(pending, address(0));
    }

    function test_AnOfferCanBeTakenBack() public {
        _script.begin();
        _script.cancel();
        (address pending,) = _rules.pendingDefaultAdmin();
        assertEq(pending, address(0));
        assertTrue(IAccessControl(address(vault)).hasRole(ADMIN_ROLE, DEFAULT_SENDER));
    }
}
