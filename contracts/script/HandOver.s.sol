// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {Script} from "forge-std/Script.sol";
import {console2} from "forge-std/console2.sol";

/// @title Hands the admin role of a vault over, in two steps
/// @notice Read from the environment: SOVR_VAULT, and for the first step SOVR_NEW_ADMIN.
///
/// The admin runs `--sig "begin()"`; after the vault's admin delay the new admin runs
/// `--sig "accept()"`. Until then the old one keeps the role, and `--sig "cancel()"` takes the
/// offer back. A contract as new admin, such as a timelock, calls `acceptDefaultAdminTransfer()` of
/// the vault itself instead of the second step.
contract HandOver is Script {
    bytes32 private constant ADMIN_ROLE = bytes32(0);
    bytes32 private constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 private constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @notice The step did not have its effect; `what` names it.
    error HandOverDiffers(string what);

    /// @notice The new admin may accept at `acceptAfter` (Unix seconds), not yet.
    error AcceptLater(uint48 acceptAfter);

    /// @notice The new admin must be another account than the admin and not the zero address: the
    /// vault would take an offer to that one for the wish to have no admin.
    error NameAnotherAdmin(address newAdmin);

    /// @notice Nobody was offered the role: `begin()` comes first.
    error BeginFirst();

    /// @notice Offers the role to SOVR_NEW_ADMIN.
    function begin() external {
        offer(vm.envAddress("SOVR_NEW_ADMIN"));
    }

    /// @notice Offers the role to `newAdmin`. An earlier offer ends, and the delay starts anew.
    function offer(address newAdmin) public {
        IAccessControlDefaultAdminRules vault = _vault();
        if (newAdmin == address(0) || newAdmin == vault.defaultAdmin()) {
            revert NameAnotherAdmin(newAdmin);
        }
        vm.broadcast();
        vault.beginDefaultAdminTransfer(newAdmin);
        (address pending, uint48 acceptAfter) = vault.pendingDefaultAdmin();
        if (pending != newAdmin) revert HandOverDiffers("pending admin");
        console2.log("offered to", pending);
        // Simulated before it is sent: the block that takes it may be some seconds later.
        console2.log("to be accepted after about, Unix seconds", acceptAfter);
    }

    /// @notice Accepts the role; for the new admin.
    function accept() external {
        IAccessControlDefaultAdminRules vault = _vault();
        (address pending, uint48 acceptAfter) = vault.pendingDefaultAdmin();
        if (pending == address(0)) revert BeginFirst();
        if (block.timestamp <= acceptAfter) revert AcceptLater(acceptAfter);
        address oldAdmin = vault.defaultAdmin();
        vm.broadcast();
        vault.acceptDefaultAdminTransfer();
        if (vault.defaultAdmin() != pending) revert HandOverDiffers("admin");
        IAccessControl roles = IAccessControl(address(vault));
        if (roles.hasRole(ADMIN_ROLE, oldAdmin)) revert HandOverDiffers("old admin");
        console2.log("admin is", pending);
        // Roles given by name stay; taking one away is a change that the admin must announce.
        if (roles.hasRole(PAUSER_ROLE, oldAdmin)) console2.log("still a pauser:", oldAdmin);
        if (roles.hasRole(GUARDIAN_ROLE, oldAdmin)) console2.log("still a guardian:", oldAdmin);
    }

    /// @notice Takes the offer back; for the old admin.
    function cancel() external {
        IAccessControlDefaultAdminRules vault = _vault();
        vm.broadcast();
        vault.cancelDefaultAdminTransfer();
        (address pending,) = vault.pendingDefaultAdmin();
        if (pending != address(0)) revert HandOverDiffers("pending admin");
        console2.log("admin stays", vault.defaultAdmin());
    }

    function _vault() private view returns (IAccessControlDefaultAdminRules) {
        return IAccessControlDefaultAdminRules(vm.envAddress("SOVR_VAULT"));
    }
}
