// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "../utils/VaultTest.sol";

contract NonceTest is VaultTest {
    function testFuzz_ANonceIsInvalidatedForItsOwnerOnly(uint256 nonce, uint256 other) public {
        vm.assume(nonce != other);
        _expectEvent();
        emit NonceInvalidated(alice, nonce, 3);
        vm.prank(alice);
        vault.invalidateNonce(nonce);
        assertTrue(vault.nonceInvalidated(alice, nonce));
        assertFalse(vault.nonceInvalidated(alice, other));
        assertFalse(vault.nonceInvalidated(bob, nonce));
    }

    function testFuzz_ASecondTimeIsNoEvent(uint256 nonce) public {
        vm.startPrank(alice);
        vault.invalidateNonce(nonce);
        vm.expectRevert(abi.encodeWithSelector(NonceUnusable.selector, alice, nonce));
        vault.invalidateNonce(nonce);
        vm.stopPrank();
    }

    function test_NeighboursInOneWordAreApart() public {
        vm.startPrank(alice);
        vault.invalidateNonce(255);
        vault.invalidateNonce(256);
        vm.stopPrank();
        assertFalse(vault.nonceInvalidated(alice, 254));
        assertTrue(vault.nonceInvalidated(alice, 255));
        assertTrue(vault.nonceInvalidated(alice, 256));
        assertFalse(vault.nonceInvalidated(alice, 257));
        assertFalse(vault.nonceInvalidated(alice, 0));
    }
}
