// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {Rejecter} from "../mocks/Accounts.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev What the tests of the `.tree` files share. Each tree says what one function must do, branch
/// by branch; `bulloak check` compares the trees with the tests.
abstract contract SpecBase is VaultTest {
    address internal carol = makeAddr("carol");
    address internal rejecter = address(new Rejecter());
    uint128 internal constant LARGE = 500 ether;

    function _reverts(bytes memory fault) internal {
        vm.expectRevert(fault);
    }

    function _reverts(bytes4 selector, address a) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, a));
    }

    function _reverts(bytes4 selector, bytes32 a, uint256 b) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    function _pauseBoth() internal returns (uint64 until) {
        vm.startPrank(pauser);
        vault.pauseDeposits();
        vault.pausePayouts();
        vm.stopPrank();
        return uint64(block.timestamp) + 3 days;
    }

    /// @dev A vault that holds a thousand ether, of which alice asked a small part for carol.
    function _smallRequest() internal returns (Withdrawal memory w, bytes32 id) {
        _depositEther(alice, 900 ether);
        return _request(alice, ETHER, carol, 1 ether);
    }

    /// @dev A request above the threshold, queued.
    function _queuedRequest(address to) internal returns (Withdrawal memory w, bytes32 id) {
        _depositEther(alice, 900 ether);
        (w, id) = _request(alice, ETHER, to, LARGE);
        _payout(_requestItem(w));
        _assertState(id, State.Queued);
    }

    function _passWindow() internal {
        vm.warp(block.timestamp + QUEUE_WINDOW);
        vm.roll(block.number + QUEUE_BLOCKS);
    }

    /// @dev The error that a batch gave for the item that it skipped.
    function _batchOf(PayoutItem memory first, PayoutItem memory second)
        internal
        pure
        returns (PayoutItem[] memory items)
    {
        items = new PayoutItem[](2);
        (items[0], items[1]) = (first, second);
    }

    /// @dev A vault whose loosening changes wait two days.
    function _delayedVault() internal {
        IVault.VaultConfig memory config = _config();
        config.looseningDelay = 2 days;
        vault = IVault(deployCode("Vault.sol:Vault", abi.encode(config)));
    }

    /// @dev The admin announces a call, waits as long as told and makes it.
    function _announced(bytes memory call, uint256 time) internal returns (bool, bytes memory) {
        vm.startPrank(admin);
        vault.announce(call);
        vm.warp(block.timestamp + time);
        (bool success, bytes memory answer) = address(vault).call(call);
        vm.stopPrank();
        return (success, answer);
    }
}
