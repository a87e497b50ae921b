// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HandOver} from "../../script/HandOver.s.sol";
import {IAccessControl, IAccessControlDefaultAdminRules, VaultTest} from "../utils/VaultTest.sol";

/// @dev The handover script, as it is run: whoever holds the key is the sender of its broadcasts.
/// Forge's default sender is the old admin; a test that remembers one key broadcasts with that.
contract HandOverTest is VaultTest {
    HandOver private _script;
    IAccessControlDefaultAdminRules private _rules;
    IAccessControl private _roles;
    address private _newAdmin;
    uint256 private _newAdminKey;

    function setUp() public override {
        admin = DEFAULT_SENDER;
        super.setUp();
        _rules = IAccessControlDefaultAdminRules(address(vault));
        _roles = IAccessControl(address(vault));
        _script = new HandOver();
        (_newAdmin, _newAdminKey) = makeAddrAndKey("new admin");
        // The environment belongs to all tests of this run at once, so it is the same in each.
        vm.setEnv("SOVR_VAULT", vm.toString(address(vault)));
        vm.setEnv("SOVR_NEW_ADMIN", vm.toString(_newAdmin));
    }

    function test_TheRoleGoesToAnotherAccountInTwoSteps() public {
        _script.begin();
        (address pending, uint48 acceptAfter) = _rules.pendingDefaultAdmin();
        assertEq(pending, _newAdmin);
        assertEq(acceptAfter, block.timestamp + 1 days);
        assertEq(_rules.defaultAdmin(), admin);
        assertFalse(_roles.hasRole(ADMIN_ROLE, _newAdmin));
        vm.warp(uint256(acceptAfter) + 1);
        vm.rememberKey(_newAdminKey);
        _script.accept();
        assertEq(_rules.defaultAdmin(), _newAdmin);
        assertTrue(_roles.hasRole(ADMIN_ROLE, _newAdmin));
        (pending, acceptAfter) = _rules.pendingDefaultAdmin();
        assertEq(pending, address(0));
        assertEq(acceptAfter, 0);
    }

    function test_TheOldAdminIsLeftWithoutAnyRoleOrPower() public {
        _handOver();
        assertFalse(_roles.hasRole(ADMIN_ROLE, admin));
        assertFalse(_roles.hasRole(PAUSER_ROLE, admin));
        assertFalse(_roles.hasRole(GUARDIAN_ROLE, admin));
        vm.startPrank(admin);
        _expectUnauthorized(admin, ADMIN_ROLE);
        vault.delistToken(ETHER);
        _expectUnauthorized(admin, ADMIN_ROLE);
        vault.setSigners(signerList, 1);
        _expectUnauthorized(admin, ADMIN_ROLE);
        _roles.grantRole(PAUSER_ROLE, admin);
        _expectUnauthorized(admin, ADMIN_ROLE);
        _rules.beginDefaultAdminTransfer(admin);
        vm.stopPrank();
    }

    function test_TheNewAdminRules() public {
        _handOver();
        vm.startPrank(_newAdmin);
        vault.delistToken(ETHER);
        vault.setSigners(signerList, 3);
        vm.stopPrank();
        assertFalse(vault.listingOf(ETHER).depositsOpen);
        assertEq(vault.threshold(), 3);
    }

    function test_TheDelayCannotBeSkipped() public {
        _script.begin();
        (, uint48 acceptAfter) = _rules.pendingDefaultAdmin();
        vm.rememberKey(_newAdminKey);
        vm.warp(acceptAfter);
        vm.expectRevert(abi.encodeWithSelector(HandOver.AcceptLater.selector, acceptAfter));
        _script.accept();
        vm.prank(_newAdmin);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminDelay.selector,
                acceptAfter
            )
        );
        _rules.acceptDefaultAdminTransfer();
        assertEq(_rules.defaultAdmin(), admin);
    }

    function test_TheSecondStepDoesNotComeFirst() public {
        vm.rememberKey(_newAdminKey);
        vm.expectRevert(HandOver.BeginFirst.selector);
        _script.accept();
        _expectInvalidAdmin(_newAdmin);
        vm.prank(_newAdmin);
        _rules.acceptDefaultAdminTransfer();
    }

    function test_OnlyTheAdminOffers() public {
        (address stranger, uint256 key) = makeAddrAndKey("stranger");
        vm.rememberKey(key);
        _expectUnauthorized(stranger, ADMIN_ROLE);
        _script.begin();
    }

    function test_OnlyTheNewAdminAccepts() public {
        _script.begin();
        vm.warp(block.timestamp + 1 days + 1);
        // The old admin first, then a stranger.
        _expectInvalidAdmin(admin);
        _script.accept();
        (address stranger, uint256 key) = makeAddrAndKey("stranger");
        vm.rememberKey(key);
        _expectInvalidAdmin(stranger);
        _script.accept();
        assertEq(_rules.defaultAdmin(), admin);
    }

    function test_AnOfferCanBeTakenBack() public {
        _script.begin();
        _script.cancel();
        (address pending,) = _rules.pendingDefaultAdmin();
        assertEq(pending, address(0));
        assertTrue(_roles.hasRole(ADMIN_ROLE, admin));
        vm.warp(block.timestamp + 1 days + 1);
        vm.rememberKey(_newAdminKey);
        vm.expectRevert(HandOver.BeginFirst.selector);
        _script.accept();
    }

    function test_OnlyTheAdminTakesAnOfferBack() public {
        _script.begin();
        vm.rememberKey(_newAdminKey);
        _expectUnauthorized(_newAdmin, ADMIN_ROLE);
        _script.cancel();
    }

    function test_TheNewAdminMustBeAnotherAccount() public {
        _handOver();
        vm.expectRevert(abi.encodeWithSelector(HandOver.NameAnotherAdmin.selector, _newAdmin));
        _script.begin();
    }

    /// @dev The vault would take it for the first step of having no admin at all.
    function test_TheZeroAddressIsNoAdmin() public {
        vm.expectRevert(abi.encodeWithSelector(HandOver.NameAnotherAdmin.selector, address(0)));
        _script.offer(address(0));
    }

    function test_ALaterOfferReplacesTheEarlier() public {
        _script.offer(bob);
        vm.warp(block.timestamp + 1 days);
        _script.begin();
        (address pending, uint48 acceptAfter) = _rules.pendingDefaultAdmin();
        assertEq(pending, _newAdmin);
        assertEq(acceptAfter, block.timestamp + 1 days);
        vm.warp(block.timestamp + 1 days + 1);
        vm.rememberKey(bobKey);
        _expectInvalidAdmin(bob);
        _script.accept();
    }

    function _handOver() private {
        _script.begin();
        vm.warp(block.timestamp + 1 days + 1);
        vm.rememberKey(_newAdminKey);
        _script.accept();
    }

    function _expectInvalidAdmin(address caller) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector, caller
            )
        );
    }
}
