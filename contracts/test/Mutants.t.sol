// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../src/interfaces/IVault.sol";
import {FeeToken, PlainToken} from "./mocks/Tokens.sol";
import {SpecBase} from "./spec/SpecBase.sol";
import {Vm} from "forge-std/Vm.sol";

/// @dev Takes from the receiver what it should bring.
contract ThievingToken is PlainToken {
    constructor() PlainToken(18) {}

    function transferFrom(address, address to, uint256) public override returns (bool) {
        _burn(to, 1);
        return true;
    }
}

/// @dev Pays as Permit2 would, whatever was signed.
contract CarelessPermit2 {
    struct Permitted {
        address token;
        uint256 amount;
    }

    struct Permit {
        Permitted permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct Details {
        address to;
        uint256 amount;
    }

    function permitWitnessTransferFrom(
        Permit calldata permit,
        Details calldata details,
        address from,
        bytes32,
        string calldata,
        bytes calldata
    ) external {
        FeeToken(permit.permitted.token).transferFrom(from, details.to, details.amount);
    }
}

/// @dev What small faults of the vault would change without anybody else noticing; each test was
/// written for mutants that survived all others.
contract MutantsTest is SpecBase {
    address private constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;

    // ---------------------------------------------------------------- deposits

    function test_NoMoreThan112BitsOfATokenAreAccounted() public {
        PlainToken token = new PlainToken(18);
        _list(address(token), 3000, false);
        uint128 most = type(uint112).max;
        token.mint(alice, uint256(most) + 1);
        vm.startPrank(alice);
        token.approve(address(vault), type(uint256).max);
        vault.deposit(address(token), most, alice);
        _reverts(abi.encodeWithSelector(AmountTooLarge.selector, 1));
        vault.deposit(address(token), 1, alice);
        vm.stopPrank();
        assertEq(vault.accounted(address(token)), most);
        assertEq(vault.listingOf(address(token)).ledger, 3000);
    }

    function test_NoMoreThan96BitsOfEtherAreAccounted() public {
        vm.prank(admin);
        vault.setLimits(ETHER, 0.001 ether, 0.001 ether, type(uint128).max);
        uint256 amount = ((1 << 96) / ETHER_DIVISOR + 1) * ETHER_DIVISOR;
        vm.deal(alice, amount);
        vm.prank(alice);
        _reverts(abi.encodeWithSelector(AmountTooLarge.selector, amount));
        vault.depositEther{value: amount}(alice);
    }

    function test_WhatATokenTakesIsNoDeposit() public {
        ThievingToken token = new ThievingToken();
        _list(address(token), 3000, false);
        token.mint(address(vault), 10);
        _reverts(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 1, 0));
        vm.prank(alice);
        vault.deposit(address(token), 1, alice);
    }

    function test_Permit2CreditsOnlyTheWholeAmount() public {
        vm.etch(PERMIT2, type(CarelessPermit2).runtimeCode);
        FeeToken token = new FeeToken();
        _list(address(token), 3000, true);
        token.mint(alice, 100);
        vm.prank(alice);
        token.approve(PERMIT2, 100);
        _reverts(abi.encodeWithSelector(ReceivedOtherAmount.selector, token, 100, 99));
        vault.depositWithPermit2(
            address(token), 100, alice, IVault.SignedTransfer(alice, 1, block.timestamp, "")
        );
    }

    /// @dev Where a unit of the ledger is one wei, accounted ether may be odd.
    function test_OddAmountsOfEtherAddUp() public {
        IVault.VaultConfig memory config = _config();
        config.listings[0].scaleDivisor = 1;
        config.listings[0].minDeposit = 1;
        vault = IVault(deployCode("Vault.sol:Vault", abi.encode(config)));
        _depositEther(alice, 1);
        assertEq(vault.accounted(ETHER), 1);
        _depositEther(alice, 1);
        assertEq(vault.accounted(ETHER), 2);
    }

    // ---------------------------------------------------------------- payouts

    /// @dev Gas is measured where the recipient's code begins: what a push grants, and the 2,300
    /// that come with ether, less 2 for asking.
    function test_APushOfEtherGrantsAllOfItsGas() public {
        vm.etch(carol, abi.encodePacked(hex"5a62", uint24(202_298), hex"14600c575f5ffd5b00"));
        (Withdrawal memory w, bytes32 id) = _smallRequest();
        _payout(_requestItem(w));
        _assertState(id, State.Paid);
    }

    /// @dev A wallet that agrees where it got exactly 100,000 gas, less 2 for asking.
    function test_AWalletGetsItsGas() public {
        vm.etch(
            carol,
            abi.encodePacked(
                hex"5a62", uint24(99_998), hex"14600c575f5ffd5b631626ba7e60e01b5f5260205ff3"
            )
        );
        _depositEther(carol, 1 ether);
        PayoutItem memory item;
        item.kind = Kind.Intent;
        item.withdrawal = _intent(carol, ETHER, bob, 1 ether, 1);
        _payout(item);
        _assertState(_id(Kind.Intent, item.withdrawal), State.Paid);
    }

    /// @dev Of several faults the first is told: what the owner should mend before signing anew.
    function test_ADeadlineTooFarIsToldBeforeTheSignature() public {
        _depositEther(alice, 10 ether);
        PayoutItem memory item;
        item.kind = Kind.Intent;
        item.withdrawal = _intent(alice, ETHER, carol, 1 ether, 1);
        item.withdrawal.deadline = uint64(block.timestamp + MAX_DEADLINE + 1);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        uint256 latest = block.timestamp + MAX_DEADLINE;
        _reverts(abi.encodeWithSelector(DeadlineTooFar.selector, item.withdrawal.deadline, latest));
        vault.payout(item, signatures);
    }

    /// @dev Memory that grew with the square of the items would cost more than all the rest.
    function test_ABatchCostsItsItems() public {
        _depositDollar(alice, 100 * DOLLAR);
        PayoutItem[] memory items = new PayoutItem[](40);
        for (uint256 i = 0; i < items.length; ++i) {
            address owner = address(uint160(0xB0000000 + i));
            (Withdrawal memory w,) = _request(owner, address(dollar), carol, DOLLAR);
            items[i] = _requestItem(w);
        }
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        vault.payoutBatch{gas: 4_000_000}(items, root, signatures);
        assertEq(dollar.balanceOf(carol), 40 * DOLLAR);
    }

    /// @dev A payout that the budget paid for when it was queued needs none when it is finalized,
    /// even where the budget is overdrawn by a limit that was lowered since.
    function test_ALoweredBudgetDoesNotStopTheQueue() public {
        (Withdrawal memory w, bytes32 id) = _queuedRequest(carol);
        vm.prank(admin);
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(LARGE, LARGE, LARGE, 10 * BUDGET_PERIOD));
        (Withdrawal memory more,) = _request(alice, ETHER, carol, LARGE / 2);
        _payout(_requestItem(more));
        vm.prank(admin);
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(1 ether, 1 ether, 1 ether, 60));
        _passWindow();
        vault.finalize(Kind.Request, w);
        _assertState(id, State.Paid);
    }

    /// @dev A signature that recovers to nobody is not the signature of nobody.
    function test_NobodySignsForTheZeroAddress() public {
        _depositEther(alice, 10 ether);
        PayoutItem memory item;
        item.kind = Kind.Intent;
        item.withdrawal = _intent(address(0), ETHER, carol, 1 ether, 1);
        bytes32 id = _id(Kind.Intent, item.withdrawal);
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        _reverts(abi.encodeWithSelector(OwnerSignatureInvalid.selector, id, address(0)));
        vault.payout(item, signatures);
    }

    function test_TheGasThatIsNeededIsSaid() public {
        (Withdrawal memory w,) = _smallRequest();
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(_requestItem(w)));
        bytes memory call = abi.encodeCall(vault.payout, (_requestItem(w), signatures));
        (bool success, bytes memory answer) = address(vault).call{gas: 280_000}(call);
        assertFalse(success);
        uint256 needed;
        assembly ("memory-safe") {
            needed := mload(add(answer, 0x24))
        }
        assertEq(needed, 200_000 + uint256(200_000) / 63 + 80_000);
    }

    function test_WhatIsPaidInABatchIsNotSkipped() public {
        (Withdrawal memory w,) = _smallRequest();
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = _requestItem(w);
        vm.recordLogs();
        _payoutBatch(items);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1);
        assertEq(logs[0].topics[0], Paid.selector);
    }

    /// @dev One of three units costs a third of 256 ticks, rounded up to 86: of 2.0 units, 1 is
    /// left, for the budget never gives more than it has.
    function test_TheBudgetRoundsAgainstThePayout() public {
        PlainToken token = new PlainToken(0);
        _list(address(token), 3000, false);
        vm.prank(admin);
        vault.setPayoutLimits(address(token), IVault.PayoutLimits(3, 3, 3, 1));
        token.mint(alice, 10);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), 10, alice);
        vm.stopPrank();
        (Withdrawal memory w,) = _request(alice, address(token), carol, 1);
        _payout(_requestItem(w));
        assertEq(vault.payoutBudget(address(token)), 1);
    }

    /// @dev The end of the longest period still fits beside the ledger's number, for decades.
    function test_NoBudgetPeriodReachesTheLedger() public {
        _depositDollar(alice, 1000 * DOLLAR);
        uint128 all = 500 * DOLLAR;
        vm.startPrank(admin);
        _reverts(PayoutBudgetIsZero.selector, address(dollar));
        vault.setPayoutLimits(address(dollar), IVault.PayoutLimits(all, all, all, 365 days + 1));
        vault.setPayoutLimits(address(dollar), IVault.PayoutLimits(all, all, all, 365 days));
        vm.stopPrank();
        vm.warp(block.timestamp + 20 * 365 days);
        (Withdrawal memory w,) = _request(alice, address(dollar), carol, all);
        _payout(_requestItem(w));
        assertEq(vault.listingOf(address(dollar)).ledger, 1002);
        assertEq(vault.payoutBudget(address(dollar)), 0);
    }

    // ---------------------------------------------------------------- administration

    function test_EtherIsListedWith18Decimals() public {
        vm.startPrank(admin);
        vault.delistToken(ETHER);
        _expectEvent();
        emit TokenListed(ETHER, 1001, 4, ETHER_DIVISOR, 18, false);
        vault.listToken(_etherListing());
        vm.stopPrank();
    }

    function test_LedgersEndAtTheirEdges() public {
        address token = address(new PlainToken(18));
        address other = address(new PlainToken(18));
        uint32 highest = type(uint32).max >> 1;
        _list(token, 1000, false);
        _list(other, highest, false);
        assertEq(vault.tokenOf(1000), token);
        assertEq(vault.tokenOf(highest), other);
        for (uint32 i = 0; i < 2; ++i) {
            IVault.ListingConfig memory config = _etherListing();
            config.token = address(new PlainToken(18));
            config.ledger = i == 0 ? 999 : highest + 1;
            _reverts(
                abi.encodeWithSelector(LedgerOutOfRange.selector, config.ledger, 1000, highest)
            );
            vm.prank(admin);
            vault.listToken(config);
        }
    }

    function test_EveryPowerOfTenIsADivisor() public {
        IVault.ListingConfig memory config = _etherListing();
        config.payouts = _noPayoutLimits();
        for (uint32 exponent = 0; exponent <= 38; ++exponent) {
            config.token = address(new PlainToken(18));
            config.ledger = 3000 + exponent;
            config.scaleDivisor = uint128(10 ** exponent);
            vm.prank(admin);
            vault.listToken(config);
            assertEq(vault.listingOf(config.token).scaleDivisor, 10 ** exponent);
        }
        config.token = address(new PlainToken(18));
        config.ledger = 4000;
        config.scaleDivisor = 3e38;
        _reverts(
            abi.encodeWithSelector(ScaleDivisorNotPowerOfTen.selector, config.token, uint128(3e38))
        );
        vm.prank(admin);
        vault.listToken(config);
    }

    function test_TheSameLimitsLoosenNothing() public {
        _delayedVault();
        vm.startPrank(admin);
        vault.setPayoutLimits(ETHER, _etherListing().payouts);
        vault.setLimits(ETHER, 0.001 ether, 0.001 ether, _etherListing().depositCap);
        vault.setSigners(signerList, THRESHOLD);
        vm.stopPrank();
    }

    function test_TheLargestPayoutMayBeTheSmallest() public {
        vm.startPrank(admin);
        uint128 minimum = 0.001 ether;
        vault.setPayoutLimits(ETHER, IVault.PayoutLimits(minimum, 0, minimum, BUDGET_PERIOD));
        vm.stopPrank();
        assertEq(vault.listingOf(ETHER).payouts.maxPayout, minimum);
    }
}
