// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "forge-std/Test.sol";

import {IVault} from "../../src/interfaces/IVault.sol";
import {IVaultTypes} from "../../src/interfaces/IVaultTypes.sol";
import {Handler} from "./Handler.sol";

/// @dev What must hold after any history, compared with the books that the handler keeps.
contract VaultInvariantTest is Test {
    address private constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    Handler private _handler;
    IVault private _vault;
    address[3] private _tokens;

    function setUp() public {
        _handler = new Handler();
        (_vault, _tokens) = _handler.start();
        bytes4[] memory selectors = new bytes4[](14);
        selectors[0] = Handler.deposit.selector;
        selectors[1] = Handler.donate.selector;
        selectors[2] = Handler.request.selector;
        selectors[3] = Handler.signIntent.selector;
        selectors[4] = Handler.payBatch.selector;
        selectors[5] = Handler.payOne.selector;
        selectors[6] = Handler.steal.selector;
        selectors[7] = Handler.refuse.selector;
        selectors[8] = Handler.cancel.selector;
        selectors[9] = Handler.claim.selector;
        selectors[10] = Handler.invalidate.selector;
        selectors[11] = Handler.pause.selector;
        selectors[12] = Handler.relist.selector;
        selectors[13] = Handler.wait.selector;
        targetContract(address(_handler));
        targetSelector(FuzzSelector(address(_handler), selectors));
    }

    /// @dev The vault holds what it owes: to the ledger and to those whose payout failed.
    function invariant_Solvent() public view {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            address token = _tokens[i];
            uint256 held =
                token == ETHER ? address(_vault).balance : IERC20(token).balanceOf(address(_vault));
            assertGe(held, uint256(_vault.accounted(token)) + _vault.claimableTotal(token));
        }
    }

    /// @dev accounted = deposits − payouts − deferrals; claimable = deferrals − claims.
    function invariant_TheBooksAgree() public view {
        address[2] memory owners = _handler.owners();
        for (uint256 i = 0; i < _tokens.length; ++i) {
            address token = _tokens[i];
            (uint256 deposited, uint256 paid, uint256 deferred, uint256 claimed) =
                _handler.books(token);
            assertEq(_vault.accounted(token), deposited - paid - deferred);
            assertEq(_vault.claimableTotal(token), deferred - claimed);
            assertEq(
                _vault.claimableTotal(token),
                uint256(_vault.claimable(token, owners[0])) + _vault.claimable(token, owners[1])
            );
        }
    }

    /// @dev The events alone tell the whole story, without a gap and without a repeat.
    function invariant_TheSequenceIsComplete() public view {
        assertFalse(_handler.gap());
        assertEq(_vault.lastSeq(), _handler.seen());
    }

    /// @dev What the events tell is what the vault stores, and nothing ends twice.
    function invariant_EveryWithdrawalEndsAtMostOnce() public view {
        bytes32[] memory ids = _handler.knownIds();
        for (uint256 i = 0; i < ids.length; ++i) {
            assertLe(_handler.terminals(ids[i]), 1);
            assertEq(uint256(_vault.stateOf(ids[i])), uint256(_handler.replayed(ids[i])));
        }
    }

    /// @dev No history lets a thief be paid, a request be stuck or a claim be refused.
    function invariant_NoBreach() public view {
        assertFalse(_handler.breach());
    }

    /// @dev The counters that cap open requests follow the events.
    function invariant_OpenRequestsAreCounted() public view {
        address[2] memory owners = _handler.owners();
        for (uint256 i = 0; i < owners.length; ++i) {
            assertEq(_vault.openWithdrawals(owners[i]), _handler.openRequests(owners[i]));
            assertLe(_vault.openWithdrawals(owners[i]), _vault.settings().maxOpenWithdrawals);
        }
    }

    /// @dev What is write-once stays as it was written.
    function invariant_ListingsKeepTheirLedger() public view {
        uint128[3] memory divisors = [uint128(1e10), 1e4, 1];
        for (uint256 i = 0; i < _tokens.length; ++i) {
            IVault.Listing memory listing = _vault.listingOf(_tokens[i]);
            assertEq(listing.ledger, 1001 + i);
            assertEq(listing.scaleDivisor, divisors[i]);
            assertFalse(listing.creditsMeasuredDelta);
            assertEq(_vault.tokenOf(uint32(1001 + i)), _tokens[i]);
        }
    }

    /// @dev A random walk that pays nothing would prove nothing: this one, fixed, reaches every
    /// ending.
    function test_TheHandlerReachesEveryEnding() public {
        _handler.deposit(0, 0, 10 ether);
        _handler.request(0, 0, 0, 1 ether, 0);
        _handler.payOne(0);
        _handler.signIntent(0, 0, 1, 1 ether, 1);
        _handler.payBatch(1, 1);
        _handler.claim(0, 0, 0);
        _handler.request(0, 0, 0, 1 ether, 0);
        _handler.refuse(2);
        _handler.request(0, 0, 0, 1 ether, 0);
        _handler.wait(2 days);
        _handler.cancel(3);
        bytes32[] memory ids = _handler.knownIds();
        IVaultTypes.State[4] memory expected = [
            IVaultTypes.State.Paid,
            IVaultTypes.State.Deferred,
            IVaultTypes.State.Refused,
            IVaultTypes.State.Cancelled
        ];
        for (uint256 i = 0; i < ids.length; ++i) {
            assertEq(uint256(_handler.replayed(ids[i])), uint256(expected[i]));
        }
        (, uint256 paid, uint256 deferred, uint256 claimed) = _handler.books(ETHER);
        assertEq(paid, 1 ether);
        assertEq(deferred, 1 ether);
        assertEq(claimed, 1 ether);
        invariant_NoBreach();
        invariant_TheSequenceIsComplete();
    }
}
