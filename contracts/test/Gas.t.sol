// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "./utils/VaultTest.sol";

/// @dev What each action costs, as a transaction of its own, in the steady state: warm books,
/// recipients that held the token before, owners that have another request open. Run by
/// `FOUNDRY_PROFILE=gas forge test`.
contract GasTest is VaultTest {
    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        _depositDollar(alice, 10_000 * DOLLAR);
        _request(alice, ETHER, bob, 1 ether);
        for (uint256 i = 0; i < 20; ++i) {
            dollar.mint(_recipient(i), 1);
            vm.deal(_recipient(i), 1);
        }
    }

    function _recipient(uint256 index) private pure returns (address) {
        return address(uint160(0xA0000000 + index));
    }

    function test_DepositEther() public {
        _depositEther(alice, 1 ether);
        _record("deposit ether", 34_000);
    }

    function test_DepositToken() public {
        _depositDollar(alice, DOLLAR);
        _record("deposit token", 59_000);
    }

    function test_Request() public {
        vm.prank(alice);
        vault.requestWithdrawal(ETHER, bob, 1 ether, uint64(block.timestamp) + 1 days);
        _record("request", 64_500);
    }

    function test_PayoutEther() public {
        (Withdrawal memory w,) = _request(alice, ETHER, _recipient(0), 1 ether);
        _payout(_requestItem(w));
        _record("payout ether", 77_000);
    }

    function test_PayoutToken() public {
        (Withdrawal memory w,) = _request(alice, address(dollar), _recipient(0), DOLLAR);
        _payout(_requestItem(w));
        _record("payout token", 89_000);
    }

    function test_PayoutIntent() public {
        _payout(_intentItem(_intent(alice, address(dollar), _recipient(0), DOLLAR, 1), aliceKey));
        _record("payout token intent", 110_000);
    }

    function test_PayoutBatchOf20() public {
        PayoutItem[] memory items = new PayoutItem[](20);
        for (uint256 i = 0; i < items.length; ++i) {
            address owner = address(uint160(0xB0000000 + i));
            (Withdrawal memory w,) = _request(owner, address(dollar), _recipient(i), DOLLAR);
            items[i] = _requestItem(w);
        }
        _payoutBatch(items);
        _record("payout token batch of 20", 650_000);
    }

    function test_Refuse() public {
        (Withdrawal memory w,) = _request(alice, ETHER, bob, 1 ether);
        _refuse(_refusalItem(Kind.Request, w, RefusalReason.Operator));
        _record("refuse", 63_000);
    }

    function test_Cancel() public {
        (Withdrawal memory w,) = _request(alice, ETHER, bob, 1 ether);
        vm.warp(uint256(w.deadline) + 1);
        vault.cancelExpired(Kind.Request, w);
        _record("cancel", 45_000);
    }

    /// @dev The snapshot shows every change; the bar stops a change that is too large to be waved
    /// through.
    function _record(string memory name, uint256 bar) private {
        assertLe(vm.snapshotGasLastCall("Vault", name), bar, name);
    }
}
