// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deploy} from "../../script/Deploy.s.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IAccessControl, VaultTest} from "../utils/VaultTest.sol";

/// @dev The deploy script, as it is run.
contract DeployTest is VaultTest {
    Deploy private _script;

    function setUp() public override {
        super.setUp();
        vm.setEnv("SOVR_ADMIN", vm.toString(admin));
        vm.setEnv("SOVR_PAUSER", vm.toString(pauser));
        vm.setEnv("SOVR_GUARDIAN", vm.toString(guardian));
        vm.setEnv("SOVR_ADMIN_DELAY", "7");
        vm.setEnv("SOVR_THRESHOLD", "2");
        vm.setEnv("SOVR_MIN_DEADLINE", "60");
        vm.setEnv("SOVR_MAX_DEADLINE", "3600");
        vm.setEnv("SOVR_MAX_OPEN_WITHDRAWALS", "5");
        vm.setEnv("SOVR_DOLLAR", vm.toString(address(0)));
        // In any order: the script sorts.
        vm.setEnv(
            "SOVR_SIGNERS",
            string.concat(
                vm.toString(signerList[2]),
                ",",
                vm.toString(signerList[0]),
                ",",
                vm.toString(signerList[1])
            )
        );
        _script = new Deploy();
    }

    function test_TheScriptDeploysWhatTheEnvironmentAsksFor() public {
        (address deployed, address token) = _script.run();
        IVault fresh = IVault(deployed);
        assertEq(fresh.signers(), signerList);
        assertEq(fresh.threshold(), 2);
        assertEq(fresh.settings().minDeadline, 60);
        assertEq(fresh.settings().maxDeadline, 3600);
        assertEq(fresh.settings().maxOpenWithdrawals, 5);
        assertEq(fresh.tokenOf(1001), ETHER);
        assertEq(fresh.tokenOf(1002), token);
        assertEq(fresh.listingOf(ETHER).scaleDivisor, 1e10);
        assertEq(fresh.listingOf(token).scaleDivisor, 1e4);
        assertEq(fresh.lastSeq(), 2);
        IAccessControl control = IAccessControl(deployed);
        assertTrue(control.hasRole(ADMIN_ROLE, admin));
        assertTrue(control.hasRole(PAUSER_ROLE, pauser));
        assertTrue(control.hasRole(GUARDIAN_ROLE, guardian));
    }

    function test_NoTestTokenOnARealChain() public {
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(Deploy.SetDollarToken.selector, 1));
        _script.run();
    }
}
