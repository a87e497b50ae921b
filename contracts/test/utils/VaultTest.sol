// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "forge-std/Test.sol";

import {IVault} from "../../src/interfaces/IVault.sol";
import {IVaultErrors} from "../../src/interfaces/IVaultErrors.sol";
import {IVaultEvents} from "../../src/interfaces/IVaultEvents.sol";

interface IMintable is IERC20 {
    function mint(address to, uint256 amount) external;
    function decimals() external view returns (uint8);
}

/// @dev What every test of the vault starts from: a vault with three signers of whom two must sign,
/// ether on ledger 1001 and a six-decimal dollar on ledger 1002. The vault is deployed by its
/// artifact's name, so that editing it does not recompile every test.
abstract contract VaultTest is Test, IVaultErrors, IVaultEvents {
    address internal constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    bytes32 internal constant ADMIN_ROLE = bytes32(0);
    bytes32 internal constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 internal constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    uint64 internal constant MIN_DEADLINE = 1 hours;
    uint64 internal constant MAX_DEADLINE = 7 days;
    uint32 internal constant MAX_OPEN = 4;
    uint32 internal constant QUEUE_WINDOW = 1 days;
    uint32 internal constant QUEUE_BLOCKS = 100;
    uint32 internal constant QUEUE_LIFETIME = 3 days;
    uint32 internal constant BUDGET_PERIOD = 1 days;
    uint256 internal constant THRESHOLD = 2;
    uint128 internal constant ETHER_DIVISOR = 1e10;
    uint128 internal constant DOLLAR_DIVISOR = 1e4;
    uint128 internal constant DOLLAR = 1e6;

    IVault internal vault;
    IMintable internal dollar;

    address internal admin = makeAddr("admin");
    address internal pauser = makeAddr("pauser");
    address internal guardian = makeAddr("guardian");
    address internal relayer = makeAddr("relayer");
    address internal alice;
    uint256 internal aliceKey;
    address internal bob;
    uint256 internal bobKey;

    /// @dev Ascending by address.
    address[] internal signerList;
    uint256[] internal signerKeys;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        (alice, aliceKey) = makeAddrAndKey("alice");
        (bob, bobKey) = makeAddrAndKey("bob");
        for (uint256 i = 0; i < 3; ++i) {
            (address signer, uint256 key) = makeAddrAndKey(string.concat("signer", vm.toString(i)));
            signerList.push(signer);
            signerKeys.push(key);
        }
        _sortSigners();
        dollar = IMintable(deployCode("TestToken.sol:TestToken"));
        vault = IVault(deployCode("Vault.sol:Vault", abi.encode(_config())));
        vm.deal(alice, 1000 ether);
        vm.deal(bob, 1000 ether);
        dollar.mint(alice, 1_000_000 * DOLLAR);
        dollar.mint(bob, 1_000_000 * DOLLAR);
        vm.prank(alice);
        dollar.approve(address(vault), type(uint256).max);
        vm.prank(bob);
        dollar.approve(address(vault), type(uint256).max);
    }

    // ---------------------------------------------------------------- deployment

    function _config() internal view returns (IVault.VaultConfig memory config) {
        IVault.ListingConfig[] memory listings = new IVault.ListingConfig[](2);
        listings[0] = _etherListing();
        listings[1] = _dollarListing();
        config = IVault.VaultConfig({
            admin: admin,
            adminDelay: 1 days,
            looseningDelay: 0,
            pauser: pauser,
            guardian: guardian,
            signers: signerList,
            threshold: THRESHOLD,
            minDeadline: MIN_DEADLINE,
            maxDeadline: MAX_DEADLINE,
            maxOpenWithdrawals: MAX_OPEN,
            queueWindow: QUEUE_WINDOW,
            queueWindowBlocks: QUEUE_BLOCKS,
            queueLifetime: QUEUE_LIFETIME,
            listings: listings
        });
    }

    function _etherListing() internal pure returns (IVault.ListingConfig memory) {
        return IVault.ListingConfig({
            token: ETHER,
            ledger: 1001,
            scaleDivisor: ETHER_DIVISOR,
            creditsMeasuredDelta: false,
            minDeposit: 0.001 ether,
            minWithdrawal: 0.001 ether,
            depositCap: 1_000_000 ether,
            payouts: IVault.PayoutLimits({
                maxPayout: 1000 ether,
                queueAbove: 200 ether,
                budgetCapacity: 10_000 ether,
                budgetPeriod: BUDGET_PERIOD
            })
        });
    }

    function _dollarListing() internal view returns (IVault.ListingConfig memory) {
        return IVault.ListingConfig({
            token: address(dollar),
            ledger: 1002,
            scaleDivisor: DOLLAR_DIVISOR,
            creditsMeasuredDelta: false,
            minDeposit: DOLLAR,
            minWithdrawal: DOLLAR,
            depositCap: 1_000_000_000 * DOLLAR,
            payouts: IVault.PayoutLimits({
                maxPayout: 1_000_000 * DOLLAR,
                queueAbove: 200_000 * DOLLAR,
                budgetCapacity: 10_000_000 * DOLLAR,
                budgetPeriod: BUDGET_PERIOD
            })
        });
    }

    /// @dev Payout limits that stop nothing.
    function _noPayoutLimits() internal pure returns (IVault.PayoutLimits memory) {
        uint128 none = type(uint128).max;
        return IVault.PayoutLimits(none, none, none, BUDGET_PERIOD);
    }

    /// @dev Lists another token without limits: divisor 1, minimum 1.
    function _list(address token, uint32 ledger, bool measured) internal {
        vm.prank(admin);
        vault.listToken(
            IVault.ListingConfig({
                token: token,
                ledger: ledger,
                scaleDivisor: 1,
                creditsMeasuredDelta: measured,
                minDeposit: 1,
                minWithdrawal: 1,
                depositCap: type(uint128).max,
                payouts: _noPayoutLimits()
            })
        );
    }

    function _sortSigners() private {
        for (uint256 i = 1; i < signerList.length; ++i) {
            for (uint256 j = i; j > 0 && signerList[j] < signerList[j - 1]; --j) {
                (signerList[j], signerList[j - 1]) = (signerList[j - 1], signerList[j]);
                (signerKeys[j], signerKeys[j - 1]) = (signerKeys[j - 1], signerKeys[j]);
            }
        }
    }

    // ---------------------------------------------------------------- actions

    function _depositEther(address owner, uint128 amount) internal {
        vm.prank(alice);
        vault.depositEther{value: amount}(owner);
    }

    function _depositDollar(address owner, uint128 amount) internal {
        vm.prank(alice);
        vault.deposit(address(dollar), amount, owner);
    }

    /// @dev A request of `owner` as it is stored, with the id that the vault answered.
    function _request(address owner, address token, address to, uint128 amount)
        internal
        returns (Withdrawal memory w, bytes32 id)
    {
        uint64 deadline = uint64(block.timestamp) + 1 days;
        vm.prank(owner);
        id = vault.requestWithdrawal(token, to, amount, deadline);
        w = Withdrawal(owner, to, token, amount, 0, vault.lastSeq(), deadline);
    }

    function _intent(address owner, address token, address to, uint128 amount, uint256 nonce)
        internal
        view
        returns (Withdrawal memory w)
    {
        w = Withdrawal(owner, to, token, amount, 0, nonce, uint64(block.timestamp) + 1 days);
    }

    // ---------------------------------------------------------------- signatures

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Signatures of the first `count` signers, ascending.
    function _quorum(bytes32 digest, uint256 count) internal view returns (bytes[] memory result) {
        result = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            result[i] = _signature(signerKeys[i], digest);
        }
    }

    function _payoutQuorum(bytes32 root) internal view returns (bytes[] memory) {
        return _quorum(_typedHash("PayoutRoot(bytes32 root)", root), THRESHOLD);
    }

    function _refusalQuorum(bytes32 root) internal view returns (bytes[] memory) {
        return _quorum(_typedHash("RefusalRoot(bytes32 root)", root), THRESHOLD);
    }

    function _requestItem(Withdrawal memory w) internal pure returns (PayoutItem memory item) {
        item.kind = Kind.Request;
        item.withdrawal = w;
    }

    function _intentItem(Withdrawal memory w, uint256 key)
        internal
        view
        returns (PayoutItem memory item)
    {
        item.kind = Kind.Intent;
        item.withdrawal = w;
        item.ownerSignature = _signature(key, _id(Kind.Intent, w));
    }

    /// @dev A payout of one item that is its own root, signed by the quorum.
    function _payout(PayoutItem memory item) internal {
        bytes[] memory signatures = _payoutQuorum(_payoutLeaf(item));
        vm.prank(relayer);
        vault.payout(item, signatures);
    }

    function _refuse(RefusalItem memory item) internal {
        bytes[] memory signatures = _refusalQuorum(_refusalLeaf(item));
        vm.prank(relayer);
        vault.refuse(item, signatures);
    }

    function _refusalItem(Kind kind, Withdrawal memory w, RefusalReason reason)
        internal
        pure
        returns (RefusalItem memory item)
    {
        item.kind = kind;
        item.withdrawal = w;
        item.reason = reason;
    }

    /// @dev Puts the proofs into the items, signs the root and submits.
    function _payoutBatch(PayoutItem[] memory items) internal {
        bytes32 root = _prove(items);
        bytes[] memory signatures = _payoutQuorum(root);
        vm.prank(relayer);
        vault.payoutBatch(items, root, signatures);
    }

    function _prove(PayoutItem[] memory items) internal view returns (bytes32 root) {
        bytes32[] memory leaves = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            leaves[i] = _payoutLeaf(items[i]);
        }
        for (uint256 i = 0; i < items.length; ++i) {
            (root, items[i].proof) = _merkle(leaves, i);
        }
    }

    function _prove(RefusalItem[] memory items) internal view returns (bytes32 root) {
        bytes32[] memory leaves = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            leaves[i] = _refusalLeaf(items[i]);
        }
        for (uint256 i = 0; i < items.length; ++i) {
            (root, items[i].proof) = _merkle(leaves, i);
        }
    }

    // ---------------------------------------------------------------- encoding, computed anew

    // Written from docs/encoding.md without asking the vault: a test that asked it could not find
    // it wrong.

    function _separator(address where) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("SOVR Vault"),
                keccak256("1"),
                block.chainid,
                where
            )
        );
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _separator(address(vault)), structHash));
    }

    function _typedHash(string memory typeString, bytes32 root) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(keccak256(bytes(typeString)), root)));
    }

    function _id(Kind kind, Withdrawal memory w) internal view returns (bytes32) {
        string memory name = kind == Kind.Request ? "WithdrawalRequest" : "WithdrawalIntent";
        bytes32 typehash = keccak256(
            abi.encodePacked(
                name,
                "(address owner,address to,address token,uint128 amount,uint128 fee,uint256 nonce,",
                "uint64 deadline)"
            )
        );
        return _digest(
            keccak256(
                abi.encode(typehash, w.owner, w.to, w.token, w.amount, w.fee, w.nonce, w.deadline)
            )
        );
    }

    function _payoutLeaf(PayoutItem memory item) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("PayoutLeaf(uint8 kind,bytes32 id)"),
                uint256(item.kind),
                _id(item.kind, item.withdrawal)
            )
        );
    }

    function _refusalLeaf(RefusalItem memory item) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("RefusalLeaf(bytes32 id,uint8 reason)"),
                _id(item.kind, item.withdrawal),
                uint256(item.reason)
            )
        );
    }

    /// @dev Root of a tree with sorted pairs, where an odd node moves up unpaired, and one proof.
    function _merkle(bytes32[] memory leaves, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory proof)
    {
        bytes32[] memory level = leaves;
        bytes32[] memory path = new bytes32[](32);
        uint256 depth = 0;
        while (level.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) path[depth++] = level[sibling];
            bytes32[] memory next = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < next.length; ++i) {
                next[i] =
                    2 * i + 1 < level.length ? _node(level[2 * i], level[2 * i + 1]) : level[2 * i];
            }
            level = next;
            index /= 2;
        }
        root = level[0];
        proof = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            proof[i] = path[i];
        }
    }

    function _node(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    // ---------------------------------------------------------------- expectations

    function _expectUnauthorized(address caller, bytes32 role) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role
            )
        );
    }

    function _expectEvent() internal {
        vm.expectEmit(true, true, true, true, address(vault));
    }

    function _assertState(bytes32 id, State expected) internal view {
        assertEq(uint256(vault.stateOf(id)), uint256(expected), "state");
    }
}
