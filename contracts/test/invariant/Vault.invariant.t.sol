// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "forge-std/Test.sol";

import {IVault} from "../../src/interfaces/IVault.sol";
import {IVaultTypes} from "../../src/interfaces/IVaultTypes.sol";
import {Books} from "./Books.sol";
import {Handler} from "./Handler.sol";

/// @dev What must hold after any history, compared with the books that the handler keeps from the
/// events. `scripts/invariants` runs it and shows how often each action did something.
contract VaultInvariantTest is Test {
    address private constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    Handler private _handler;
    IVault private _vault;
    address[5] private _tokens;
    address[6] private _recipients;

    function setUp() public {
        _handler = new Handler();
        (_vault, _tokens, _recipients) = _handler.start();
        targetContract(address(_handler));
        targetSelector(FuzzSelector(address(_handler), _actions()));
    }

    function _actions() private view returns (bytes4[] memory all) {
        bytes4[22] memory list = [
            _handler.deposit.selector,
            _handler.deposit.selector,
            _handler.request.selector,
            _handler.signIntent.selector,
            _handler.payOne.selector,
            _handler.payBatch.selector,
            _handler.refuseOne.selector,
            _handler.refuseBatch.selector,
            _handler.finalize.selector,
            _handler.veto.selector,
            _handler.cancel.selector,
            _handler.claim.selector,
            _handler.invalidateNonce.selector,
            _handler.pause.selector,
            _handler.relist.selector,
            _handler.rotate.selector,
            _handler.wait.selector,
            _handler.donate.selector,
            _handler.steal.selector,
            _handler.replay.selector,
            _handler.starve.selector,
            _handler.arm.selector
        ];
        all = new bytes4[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            all[i] = list[i];
        }
        all[list.length] = _handler.trespass.selector;
    }

    /// @dev At the end of every run of every campaign, whatever else it looks at.
    function afterInvariant() public view {
        for (uint256 i = 0; i <= uint256(type(Books.Rule).max); ++i) {
            _assertKept(Books.Rule(i));
        }
    }

    // ---------------------------------------------------------------- money

    /// @dev The vault holds what it owes: to the ledger and to those whose payout failed.
    function invariant_Solvent() public view {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            address token = _tokens[i];
            assertGe(_held(token), uint256(_vault.accounted(token)) + _vault.claimableTotal(token));
        }
    }

    /// @dev What it holds besides is what was given to nobody: not a unit is swallowed or lost.
    function invariant_TheSurplusIsTheDonations() public view {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            address token = _tokens[i];
            (,,,,, uint256 donated) = _handler.books(token);
            uint256 owed = uint256(_vault.accounted(token)) + _vault.claimableTotal(token);
            assertEq(_held(token), owed + donated);
        }
    }

    /// @dev accounted = Σ deposits − Σ paid − Σ deferred, by what was sent and by the events.
    function invariant_AccountedIsDepositsLessPayouts() public view {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            (uint256 sent, uint256 credited, uint256 paid, uint256 deferred,,) =
                _handler.books(_tokens[i]);
            assertEq(sent, credited);
            assertEq(_vault.accounted(_tokens[i]), credited - paid - deferred);
        }
    }

    /// @dev claimable = Σ deferred − Σ claimed, in total and for each owner.
    function invariant_ClaimableIsDeferralsLessClaims() public view {
        address[2] memory owners = _handler.owners();
        for (uint256 i = 0; i < _tokens.length; ++i) {
            address token = _tokens[i];
            (,,, uint256 deferred, uint256 claimed,) = _handler.books(token);
            assertEq(_vault.claimableTotal(token), deferred - claimed);
            assertEq(_vault.claimable(token, owners[0]), _handler.owed(token, owners[0]));
            assertEq(_vault.claimable(token, owners[1]), _handler.owed(token, owners[1]));
        }
    }

    /// @dev Every unit that the events say was paid or claimed is where they say it went.
    function invariant_RecipientsHaveWhatTheyWerePaid() public view {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            for (uint256 j = 0; j < _recipients.length; ++j) {
                address token = _tokens[i];
                uint256 received = _handler.received(token, _recipients[j]);
                uint256 has = token == ETHER
                    ? _recipients[j].balance
                    : IERC20(token).balanceOf(_recipients[j]);
                // The token that takes a fee takes it from the recipient, at most a hundredth.
                if (i == 3) assertGe(has, received - received / 100);
                else assertEq(has, received);
            }
        }
    }

    // ---------------------------------------------------------------- events and lives

    /// @dev The events' numbers follow each other from 1, and the vault knows the last.
    function invariant_TheSequenceIsContiguous() public view {
        assertFalse(_handler.gap());
        assertEq(_vault.lastSeq(), _handler.seen());
    }

    /// @dev What the events tell is what the vault stores.
    function invariant_ReplayedEventsEqualStorage() public view {
        bytes32[] memory ids = _handler.knownIds();
        for (uint256 i = 0; i < ids.length; ++i) {
            assertEq(uint256(_vault.stateOf(ids[i])), uint256(_handler.replayed(ids[i])));
        }
    }

    /// @dev No id ends twice, and none ends that did not begin.
    function invariant_EveryIdEndsAtMostOnce() public view {
        bytes32[] memory ids = _handler.knownIds();
        for (uint256 i = 0; i < ids.length; ++i) {
            assertLe(_handler.terminals(ids[i]), 1);
        }
        _assertKept(Books.Rule.Lifecycle);
    }

    /// @dev The id that the vault answers commits to the fields that it was given.
    function invariant_IdsAreOfTheirFields() public view {
        _assertKept(Books.Rule.Id);
    }

    /// @dev The counters that cap open requests follow the events.
    function invariant_OpenRequestsAreCounted() public view {
        address[2] memory owners = _handler.owners();
        for (uint256 i = 0; i < owners.length; ++i) {
            assertEq(_vault.openWithdrawals(owners[i]), _handler.openRequests(owners[i]));
            assertLe(_vault.openWithdrawals(owners[i]), _vault.settings().maxOpenWithdrawals);
        }
        _assertKept(Books.Rule.Request);
    }

    /// @dev Large payouts wait for their window and no longer than their expiry, small ones never,
    /// and what was vetoed is not paid.
    function invariant_LargePayoutsWait() public view {
        _assertKept(Books.Rule.Queue);
    }

    /// @dev In any time T at most `capacity * (1 + T / period)` of a token is paid or queued.
    function invariant_PayoutsStayWithinTheBudget() public view {
        _assertKept(Books.Rule.Budget);
    }

    // ---------------------------------------------------------------- who may

    /// @dev Nothing is paid or refused that a quorum of the present signers has not signed.
    function invariant_NothingMovesWithoutAQuorum() public view {
        _assertKept(Books.Rule.Quorum);
    }

    /// @dev 1 ≤ threshold ≤ signers, ascending, and exactly these are signers.
    function invariant_TheThresholdIsWithinTheSet() public view {
        (address[] memory expected, uint256 threshold) = _handler.currentSigners();
        address[] memory signers = _vault.signers();
        assertEq(signers, expected);
        assertEq(_vault.threshold(), threshold);
        assertGe(threshold, 1);
        assertLe(threshold, signers.length);
        uint256 among = 0;
        address[] memory pool = _handler.pool();
        for (uint256 i = 0; i < pool.length; ++i) {
            if (_vault.isSigner(pool[i])) ++among;
        }
        assertEq(among, signers.length);
    }

    /// @dev Nobody gains a role, and no stranger gets through an operators' door.
    function invariant_NobodyGainsARole() public view {
        _assertKept(Books.Rule.Access);
        IAccessControl control = IAccessControl(address(_vault));
        for (uint256 i = 0; i < _recipients.length; ++i) {
            assertFalse(control.hasRole(bytes32(0), _recipients[i]));
            assertFalse(control.hasRole(keccak256("PAUSER_ROLE"), _recipients[i]));
            assertFalse(control.hasRole(keccak256("GUARDIAN_ROLE"), _recipients[i]));
        }
    }

    /// @dev Nobody gets a call into the vault through while it pays or is paid.
    function invariant_NobodyReenters() public view {
        assertFalse(_handler.reentered());
    }

    // ---------------------------------------------------------------- what must always work

    /// @dev A deposit goes through exactly when the token is open and deposits are not paused.
    function invariant_DepositsWorkWhenOpen() public view {
        _assertKept(Books.Rule.Deposit);
    }

    /// @dev A signed payout goes through exactly when it is due.
    function invariant_PayoutsWorkWhenDue() public view {
        _assertKept(Books.Rule.Payout);
    }

    /// @dev An expired request can always be cancelled, by anybody, and nothing else can.
    function invariant_WhatExpiredCanBeCancelled() public view {
        _assertKept(Books.Rule.Cancel);
    }

    /// @dev A claim by a willing recipient always succeeds, and only of what is owed.
    function invariant_WhatIsOwedCanBeClaimed() public view {
        _assertKept(Books.Rule.Claim);
    }

    /// @dev No relayer, and no neighbour in a batch, turns a payment to a willing recipient into a
    /// deferral.
    function invariant_TheWillingAreNeverDeferred() public view {
        _assertKept(Books.Rule.Starved);
    }

    /// @dev No pause is longer than three days, however often it is repeated.
    function invariant_PausesExpire() public view {
        assertLe(_vault.depositsPausedUntil(), block.timestamp + 3 days);
        assertLe(_vault.payoutsPausedUntil(), block.timestamp + 3 days);
    }

    // ---------------------------------------------------------------- listings

    /// @dev What is write-once stays as it was written.
    function invariant_ListingsKeepTheirLedger() public view {
        uint128[5] memory divisors = [uint128(1e10), 1e4, 1, 1, 1];
        for (uint256 i = 0; i < _tokens.length; ++i) {
            IVault.Listing memory listing = _vault.listingOf(_tokens[i]);
            assertEq(listing.ledger, 1001 + i);
            assertEq(listing.scaleDivisor, divisors[i]);
            assertEq(listing.creditsMeasuredDelta, i == 3);
            assertEq(_vault.tokenOf(uint32(1001 + i)), _tokens[i]);
        }
    }

    // ---------------------------------------------------------------- the handler itself

    /// @dev A random walk that pays nothing would prove nothing: this one, fixed, reaches every
    /// ending.
    function test_TheHandlerReachesEveryEnding() public {
        _handler.deposit(0, 0, 10 ether);
        _handler.request(0, 0, 0, 1 ether, 2 days);
        _handler.payOne(0);
        _handler.signIntent(0, 0, 1, 1 ether, 1);
        _handler.payBatch(1, 1);
        _handler.claim(0, 0);
        _handler.request(0, 0, 0, 1 ether, 2 days);
        _handler.refuseOne(8);
        _handler.request(0, 0, 0, 1 ether, 0);
        _handler.wait(1, 1 days);
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
        (,, uint256 paid, uint256 deferred, uint256 claimed,) = _handler.books(ETHER);
        assertEq(paid, 1 ether);
        assertEq(deferred, 1 ether);
        assertEq(claimed, 1 ether);
    }

    function _held(address token) private view returns (uint256) {
        return token == ETHER ? address(_vault).balance : IERC20(token).balanceOf(address(_vault));
    }

    function _assertKept(Books.Rule rule) private view {
        assertEq(_handler.broken(rule), "");
    }
}
