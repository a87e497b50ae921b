// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {PlainToken} from "../mocks/Tokens.sol";
import {IAccessControl, VaultTest} from "../utils/VaultTest.sol";

/// @dev Tightening at once, loosening only announced, and exactly what was announced.
contract AnnounceTest is VaultTest {
    event ChangeAnnounced(bytes32 indexed change, uint64 readyAt, bytes call);
    event ChangeRetracted(bytes32 indexed change);

    uint48 private constant DELAY = 2 days;

    function setUp() public override {
        super.setUp();
        IVault.VaultConfig memory config = _config();
        config.looseningDelay = DELAY;
        vault = IVault(deployCode("Vault.sol:Vault", abi.encode(config)));
    }

    function _call(bytes memory data) private returns (bool success, bytes memory answer) {
        vm.prank(admin);
        (success, answer) = address(vault).call(data);
    }

    function _tightens(bytes memory data) private {
        (bool success,) = _call(data);
        assertTrue(success, "tightening needs no announcement");
    }

    /// @dev Refused at once, while it is young, and when it is old; made in between, once.
    function _loosens(bytes memory data) private {
        uint256 snapshot = vm.snapshotState();
        bytes32 change = keccak256(data);
        (bool success, bytes memory answer) = _call(data);
        assertFalse(success, "not announced");
        assertEq(answer, abi.encodeWithSelector(AnnounceFirst.selector, change));
        vm.prank(admin);
        assertEq(vault.announce(data), change);
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        assertEq(vault.announcedFor(change), readyAt);
        vm.warp(readyAt - 1);
        (success, answer) = _call(data);
        assertFalse(success, "too young");
        assertEq(answer, abi.encodeWithSelector(AnnouncementTooYoung.selector, change, readyAt));
        vm.warp(uint256(readyAt) + 14 days + 1);
        (success, answer) = _call(data);
        assertFalse(success, "too old");
        assertEq(
            answer, abi.encodeWithSelector(AnnouncementExpired.selector, change, readyAt + 14 days)
        );
        vm.warp(readyAt);
        (success,) = _call(data);
        assertTrue(success, "announced");
        assertEq(vault.announcedFor(change), 0);
        vm.revertToState(snapshot);
    }

    function _limits(uint128 max, uint128 queue, uint128 capacity, uint32 period)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(
            vault.setPayoutLimits, (ETHER, IVault.PayoutLimits(max, queue, capacity, period))
        );
    }

    // ---------------------------------------------------------------- what loosens

    function test_ListingsAreAnnounced() public {
        IVault.ListingConfig memory config = _dollarListing();
        _tightens(abi.encodeCall(vault.delistToken, (address(dollar))));
        _loosens(abi.encodeCall(vault.listToken, (config)));
        config.token = address(new PlainToken(6));
        config.ledger = 2000;
        _loosens(abi.encodeCall(vault.listToken, (config)));
    }

    function test_DepositLimitsLoosenDownwardsAndCapsUpwards() public {
        uint128 cap = 1_000_000 ether;
        _loosens(abi.encodeCall(vault.setLimits, (ETHER, 1e10, 0.001 ether, cap)));
        _loosens(abi.encodeCall(vault.setLimits, (ETHER, 0.001 ether, 0.001 ether, cap + 1 ether)));
        _tightens(abi.encodeCall(vault.setLimits, (ETHER, 0.002 ether, 0.001 ether, cap - 1 ether)));
        // Small balances can leave: that is for the users, and no risk to the others.
        _tightens(abi.encodeCall(vault.setLimits, (ETHER, 0.002 ether, 1e10, cap - 1 ether)));
    }

    function test_PayoutLimitsLoosenUpwardsAndFaster() public {
        _loosens(_limits(1001 ether, 200 ether, 10_000 ether, 1 days));
        _loosens(_limits(1000 ether, 201 ether, 10_000 ether, 1 days));
        _loosens(_limits(1000 ether, 200 ether, 10_001 ether, 1 days));
        _loosens(_limits(1000 ether, 200 ether, 10_000 ether, 1 days - 1));
        // A larger bucket is looser also where it refills no faster.
        _loosens(_limits(1000 ether, 200 ether, 20_000 ether, 2 days));
        // And half the bucket in less than half the time refills faster.
        _loosens(_limits(1000 ether, 200 ether, 5000 ether, 12 hours - 1));
        _tightens(_limits(999 ether, 199 ether, 5000 ether, 12 hours));
    }

    function test_SignersLoosenUnlessSomeLeaveOrMoreMustSign() public {
        address[] memory others = new address[](3);
        (others[0], others[1], others[2]) = (address(1), signerList[0], signerList[1]);
        address[] memory fewer = new address[](2);
        (fewer[0], fewer[1]) = (signerList[0], signerList[2]);
        _loosens(abi.encodeCall(vault.setSigners, (others, 2)));
        _loosens(abi.encodeCall(vault.setSigners, (signerList, 1)));
        _loosens(abi.encodeCall(vault.setSigners, (fewer, 1)));
        _tightens(abi.encodeCall(vault.setSigners, (signerList, 3)));
        _loosens(abi.encodeCall(vault.setSigners, (fewer, 2)));
    }

    function test_ALostSignerIsRemovedAtOnce() public {
        address[] memory fewer = new address[](2);
        (fewer[0], fewer[1]) = (signerList[0], signerList[2]);
        _tightens(abi.encodeCall(vault.setSigners, (fewer, 2)));
        assertFalse(vault.isSigner(signerList[1]));
    }

    function test_LiftingAPauseIsAnnounced() public {
        vm.startPrank(pauser);
        vault.pauseDeposits();
        vault.pausePayouts();
        vm.stopPrank();
        _loosens(abi.encodeCall(vault.unpauseDeposits, ()));
        _loosens(abi.encodeCall(vault.unpausePayouts, ()));
    }

    function test_TakingARoleAwayIsAnnounced() public {
        IAccessControl control = IAccessControl(address(vault));
        _loosens(abi.encodeCall(control.revokeRole, (GUARDIAN_ROLE, guardian)));
        _loosens(abi.encodeCall(control.revokeRole, (PAUSER_ROLE, pauser)));
        _tightens(abi.encodeCall(control.grantRole, (GUARDIAN_ROLE, alice)));
    }

    // ---------------------------------------------------------------- announcing

    function testFuzz_OnlyTheExactCallIsMade(uint128 announced, uint128 wanted) public {
        uint128 cap = 1_000_000 ether;
        announced = uint128(bound(announced, 1, 1e6)) * 1 ether + cap;
        wanted = uint128(bound(wanted, 1, 1e6)) * 1 ether + cap;
        vm.assume(announced != wanted);
        vm.startPrank(admin);
        vault.announce(
            abi.encodeCall(vault.setLimits, (ETHER, 0.001 ether, 0.001 ether, announced))
        );
        vm.warp(block.timestamp + DELAY);
        vm.expectPartialRevert(AnnounceFirst.selector);
        vault.setLimits(ETHER, 0.001 ether, 0.001 ether, wanted);
        vault.setLimits(ETHER, 0.001 ether, 0.001 ether, announced);
        vm.stopPrank();
    }

    function test_AnAnnouncementShowsTheWholeCallAndCanBeRetracted() public {
        bytes memory data = abi.encodeCall(vault.unpauseDeposits, ());
        bytes32 change = keccak256(data);
        vm.startPrank(admin);
        _expectEvent();
        emit ChangeAnnounced(change, uint64(block.timestamp) + DELAY, data);
        vault.announce(data);
        _expectEvent();
        emit ChangeRetracted(change);
        vault.retract(change);
        vm.expectRevert(abi.encodeWithSelector(NotAnnounced.selector, change));
        vault.retract(change);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(AnnounceFirst.selector, change));
        vault.unpauseDeposits();
        vm.stopPrank();
        assertEq(vault.lastSeq(), 2);
    }

    function testFuzz_OnlyTheAdminAnnounces(address caller, bytes calldata data) public {
        vm.assume(caller != admin);
        _expectUnauthorized(caller, ADMIN_ROLE);
        vm.prank(caller);
        vault.announce(data);
        _expectUnauthorized(caller, ADMIN_ROLE);
        vm.prank(caller);
        vault.retract(keccak256(data));
    }

    function test_AStrangerCannotUseAnAnnouncement() public {
        bytes memory data = abi.encodeCall(vault.unpausePayouts, ());
        vm.prank(admin);
        vault.announce(data);
        vm.warp(block.timestamp + DELAY);
        _expectUnauthorized(alice, ADMIN_ROLE);
        vm.prank(alice);
        vault.unpausePayouts();
        IAccessControl control = IAccessControl(address(vault));
        data = abi.encodeCall(control.revokeRole, (PAUSER_ROLE, pauser));
        vm.prank(admin);
        vault.announce(data);
        vm.warp(block.timestamp + DELAY);
        _expectUnauthorized(alice, ADMIN_ROLE);
        vm.prank(alice);
        control.revokeRole(PAUSER_ROLE, pauser);
    }
}
