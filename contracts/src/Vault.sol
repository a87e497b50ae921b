// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

import {IPermit2} from "./interfaces/IPermit2.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Book, BookLib} from "./types/Book.sol";
import {Core} from "./types/Core.sol";
import {Decimal} from "./types/Decimal.sol";
import {Life, LifeLib} from "./types/Life.sol";
import {Limits, LimitsLib} from "./types/Limits.sol";

/// @title The SOVR vault
/// @notice See `IVault`. Immutable: no proxy, no delegatecall, no function that moves pooled funds
/// other than `payout`, `payoutBatch`, `finalize` and `claim`, and no call whose target or data a
/// caller chooses freely.
contract Vault is IVault, AccessControlDefaultAdminRules, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    // ---------------------------------------------------------------- constants

    /// @notice Stands for ether wherever a token address is asked for.
    address public constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @notice May pause deposits and payouts.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @notice May veto queued payouts.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @dev How long a pause lasts unless lifted or repeated.
    uint64 private constant PAUSE_PERIOD = 3 days;

    /// @dev No vault accepts deadlines further away than this.
    uint64 private constant DEADLINE_LIMIT = 30 days;

    /// @dev Lowest ledger number that a vault may list; those below are reserved.
    uint32 private constant LOWEST_LEDGER = 1000;

    /// @dev Highest ledger number that a vault may list; those above belong to limits.
    uint32 private constant HIGHEST_LEDGER = type(uint32).max >> 1;

    /// @dev Largest signer set, so that a quorum check always fits a block.
    uint256 private constant MAX_SIGNERS = 32;

    /// @dev Gas that a push gets: enough for costly tokens, too little to drain a batch.
    uint256 private constant PUSH_GAS = 200_000;

    /// @dev Gas that a contract owner gets to check its signature.
    uint256 private constant SIGNATURE_GAS = 100_000;

    /// @dev Permit2, at the address that it has on every chain.
    IPermit2 private constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// @dev Longest time in which a budget refills; its end in 1/256 seconds must fit 40 bits.
    uint32 private constant BUDGET_PERIOD_LIMIT = 365 days;

    /// @dev Longest delay of loosening changes.
    uint48 private constant LOOSENING_DELAY_LIMIT = 30 days;

    /// @dev How long an announced change can be made once its delay is over.
    uint64 private constant ANNOUNCEMENT_LIFETIME = 14 days;

    /// @dev Kept back for what follows a push: the event, the claimable balance, the rest of the
    /// call.
    uint256 private constant GAS_AFTER_PUSH = 80_000;

    bytes32 private constant REQUEST_TYPEHASH = keccak256(
        "WithdrawalRequest(address owner,address to,address token,"
        "uint128 amount,uint128 fee,uint256 nonce,uint64 deadline)"
    );
    bytes32 private constant INTENT_TYPEHASH = keccak256(
        "WithdrawalIntent(address owner,address to,address token,"
        "uint128 amount,uint128 fee,uint256 nonce,uint64 deadline)"
    );
    bytes32 private constant PAYOUT_ROOT_TYPEHASH = keccak256("PayoutRoot(bytes32 root)");
    bytes32 private constant PAYOUT_LEAF_TYPEHASH = keccak256("PayoutLeaf(uint8 kind,bytes32 id)");
    bytes32 private constant REFUSAL_ROOT_TYPEHASH = keccak256("RefusalRoot(bytes32 root)");
    bytes32 private constant REFUSAL_LEAF_TYPEHASH =
        keccak256("RefusalLeaf(bytes32 id,uint8 reason)");

    /// @dev What a Permit2 depositor signs besides the transfer, and how Permit2 is told its type.
    bytes32 private constant WITNESS_TYPEHASH = keccak256("VaultDeposit(address owner)");
    string private constant WITNESS_TYPE = "VaultDeposit witness)"
        "TokenPermissions(address token,uint256 amount)VaultDeposit(address owner)";

    // ---------------------------------------------------------------- storage

    /// @dev A deposit touches the book only, a withdrawal's request the limits only, a payout both,
    /// and the third slot serves deferrals. Of ether the book is in the core slot.
    struct Entry {
        Book book;
        Limits limits;
        uint128 claimableTotal;
    }

    uint64 private immutable _MIN_DEADLINE;
    uint64 private immutable _MAX_DEADLINE;
    uint32 private immutable _MAX_OPEN_WITHDRAWALS;
    uint48 private immutable _LOOSENING_DELAY;
    uint32 private immutable _QUEUE_WINDOW;
    uint32 private immutable _QUEUE_WINDOW_BLOCKS;
    uint32 private immutable _QUEUE_LIFETIME;

    Core private _core;
    mapping(address token => Entry) private _entries;
    /// @inheritdoc IVault
    mapping(uint32 ledger => address token) public tokenOf;
    mapping(bytes32 id => Life) private _lives;
    /// @inheritdoc IVault
    mapping(address owner => uint256) public openWithdrawals;
    /// @inheritdoc IVault
    mapping(address token => mapping(address owner => uint128)) public claimable;
    /// @dev 256 nonces to a word: a wallet that counts pays for a fresh slot once in 256.
    mapping(address owner => mapping(uint256 word => uint256 bits)) private _invalidNonces;
    /// @inheritdoc IVault
    mapping(address account => bool) public isSigner;
    address[] private _signers;
    /// @inheritdoc IVault
    mapping(bytes32 change => uint64 readyAt) public announcedFor;

    // ---------------------------------------------------------------- construction

    constructor(VaultConfig memory config)
        AccessControlDefaultAdminRules(config.adminDelay, config.admin)
    {
        if (
            config.minDeadline == 0 || config.minDeadline >= config.maxDeadline
                || config.maxDeadline > DEADLINE_LIMIT
        ) {
            revert DeadlineWindowInvalid(config.minDeadline, config.maxDeadline, DEADLINE_LIMIT);
        }
        if (config.maxOpenWithdrawals == 0) revert OpenWithdrawalsCapIsZero();
        if (config.queueWindow == 0 || config.queueWindowBlocks == 0 || config.queueLifetime == 0) {
            revert QueueSettingsInvalid(
                config.queueWindow, config.queueWindowBlocks, config.queueLifetime
            );
        }
        if (config.looseningDelay > LOOSENING_DELAY_LIMIT) {
            revert LooseningDelayTooLong(config.looseningDelay, LOOSENING_DELAY_LIMIT);
        }
        _MIN_DEADLINE = config.minDeadline;
        _MAX_DEADLINE = config.maxDeadline;
        _MAX_OPEN_WITHDRAWALS = config.maxOpenWithdrawals;
        _LOOSENING_DELAY = config.looseningDelay;
        _QUEUE_WINDOW = config.queueWindow;
        _QUEUE_WINDOW_BLOCKS = config.queueWindowBlocks;
        _QUEUE_LIFETIME = config.queueLifetime;
        if (config.pauser != address(0)) _grantRole(PAUSER_ROLE, config.pauser);
        if (config.guardian != address(0)) _grantRole(GUARDIAN_ROLE, config.guardian);
        _setSigners(config.signers, config.threshold);
        for (uint256 i = 0; i < config.listings.length; ++i) {
            _list(config.listings[i]);
        }
    }

    /// @notice Refuses plain transfers of ether: without a beneficiary they could be credited to
    /// nobody.
    receive() external payable {
        revert UseDepositEther();
    }

    // ---------------------------------------------------------------- deposits

    /// @inheritdoc IVault
    function depositEther(address owner) external payable nonReentrant {
        (Core core, Book book) = _openForDeposit(ETHER, owner);
        uint256 held = _heldAfter(book, ETHER, core.etherAccounted(), msg.value);
        // Before ether runs out of 96 bits there would have to be a hundred times what there is.
        if (held >> 96 != 0) revert AmountTooLarge(msg.value);
        core = core.withEther(held, core.etherSpentUntil()).next();
        _core = core;
        emit Deposited(core.lastSeq(), ETHER, owner, msg.sender, uint128(msg.value), book.ledger());
    }

    /// @inheritdoc IVault
    function deposit(address token, uint128 amount, address owner) external nonReentrant {
        _deposit(token, amount, owner);
    }

    /// @inheritdoc IVault
    function depositMeasured(address token, uint128 amount, uint128 minReceived, address owner)
        external
        nonReentrant
        returns (uint128)
    {
        (Core core, Book book) = _openForDeposit(token, owner);
        if (!book.isMeasured()) revert UseDeposit(token);
        uint256 received = _pull(token, amount);
        // More than was sent can only be a donation slipped in on the way, or a token that lies.
        if (received > amount) revert ReceivedOtherAmount(token, amount, received);
        if (received < minReceived) revert ReceivedTooLittle(token, received, minReceived);
        _credit(core, book, token, owner, msg.sender, uint128(received));
        return uint128(received);
    }

    /// @inheritdoc IVault
    function depositWithPermit(
        address token,
        uint128 amount,
        address owner,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // The token is called below, so it must be one that the admin knows.
        _listed(token);
        if (token == ETHER) revert EtherIsNotErc20();
        // Anybody may have used the permit up before, and a token without permits may swallow the
        // call: only the allowance counts.
        try IERC20Permit(token)
            .permit(msg.sender, address(this), amount, permitDeadline, v, r, s) {}
            catch {}
        uint256 allowance = IERC20(token).allowance(msg.sender, address(this));
        if (allowance < amount) {
            revert PermitLeftAllowanceTooLow(token, msg.sender, allowance, amount);
        }
        _deposit(token, amount, owner);
    }

    /// @inheritdoc IVault
    function depositWithPermit2(
        address token,
        uint128 amount,
        address owner,
        SignedTransfer calldata transfer
    ) external nonReentrant {
        (Core core, Book book) = _openForDeposit(token, owner);
        uint256 before = _balance(token);
        _pullWithPermit2(token, amount, owner, transfer);
        uint256 received = _gainSince(token, before);
        if (received != amount) revert ReceivedOtherAmount(token, amount, received);
        _credit(core, book, token, owner, transfer.from, amount);
    }

    // ---------------------------------------------------------------- withdrawals

    /// @inheritdoc IVault
    function requestWithdrawal(address token, address to, uint128 amount, uint64 deadline)
        external
        nonReentrant
        returns (bytes32 id)
    {
        Limits limits = _entries[token].limits;
        _revertOn(_termsFault(limits, token, to, amount, 0));
        if (deadline < block.timestamp + _MIN_DEADLINE) {
            revert DeadlineTooSoon(deadline, uint64(block.timestamp + _MIN_DEADLINE));
        }
        _revertOn(_deadlineFault(deadline));
        uint256 open = openWithdrawals[msg.sender];
        if (open >= _MAX_OPEN_WITHDRAWALS) {
            revert TooManyOpenWithdrawals(msg.sender, open, _MAX_OPEN_WITHDRAWALS);
        }
        openWithdrawals[msg.sender] = open + 1;
        uint64 seq = _nextSeq();
        // The sequence number makes the id unique, so it can never have had a state before.
        id = _requestId(token, to, amount, seq, deadline);
        _lives[id] = LifeLib.plain(State.Requested);
        emit WithdrawalRequested(id, token, msg.sender, seq, to, amount, deadline, limits.ledger());
    }

    /// @inheritdoc IVault
    function payout(PayoutItem calldata item, bytes[] calldata signatures) external nonReentrant {
        uint256 needed = _requirePayoutsRunning();
        bytes32 id = _withdrawalId(item.kind, item.withdrawal);
        bytes32 root = MerkleProof.processProofCalldata(item.proof, payoutLeaf(item.kind, id));
        _requireQuorum(payoutRootDigest(root), signatures, needed);
        _revertOn(_tryPay(item, id));
    }

    /// @inheritdoc IVault
    function payoutBatch(PayoutItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external
        nonReentrant
    {
        uint256 needed = _requirePayoutsRunning();
        _requireQuorum(payoutRootDigest(root), signatures, needed);
        for (uint256 i = 0; i < items.length; ++i) {
            PayoutItem calldata item = items[i];
            bytes32 id = _withdrawalId(item.kind, item.withdrawal);
            bytes memory fault = _proofFault(item.proof, root, payoutLeaf(item.kind, id));
            if (fault.length == 0) fault = _tryPay(item, id);
            if (fault.length != 0) emit PayoutSkipped(id, fault);
        }
    }

    /// @inheritdoc IVault
    function finalize(Kind kind, Withdrawal calldata withdrawal) external nonReentrant {
        _requirePayoutsRunning();
        bytes32 id = _withdrawalId(kind, withdrawal);
        Life life = _queued(id);
        if (block.timestamp < life.finalizeAfter() || block.number < life.finalizeAfterBlock()) {
            revert PayoutWindowOpen(id, life.finalizeAfter(), life.finalizeAfterBlock());
        }
        if (block.timestamp > life.expiresAt()) revert PayoutQueueExpired(id, life.expiresAt());
        // The budget paid for it when it was queued; the books are debited only now.
        (uint64 seq, bytes memory fault) =
            _debit(withdrawal.token, withdrawal.amount, withdrawal.amount, 0);
        _revertOn(fault);
        _close(kind, withdrawal.owner, id, State.Paid);
        _deliver(kind, withdrawal, id, seq);
    }

    /// @inheritdoc IVault
    function veto(Kind kind, Withdrawal calldata withdrawal)
        external
        nonReentrant
        onlyRole(GUARDIAN_ROLE)
    {
        bytes32 id = _withdrawalId(kind, withdrawal);
        _queued(id);
        _close(kind, withdrawal.owner, id, State.Refused);
        emit PayoutVetoed(
            id, withdrawal.token, withdrawal.owner, _nextSeq(), kind, withdrawal.nonce
        );
    }

    /// @inheritdoc IVault
    function refuse(RefusalItem calldata item, bytes[] calldata signatures) external nonReentrant {
        bytes32 id = _withdrawalId(item.kind, item.withdrawal);
        bytes32 root = MerkleProof.processProofCalldata(item.proof, refusalLeaf(id, item.reason));
        _requireQuorum(refusalRootDigest(root), signatures, _core.threshold());
        _revertOn(_refusalFault(item, id));
        _refuse(item, id);
    }

    /// @inheritdoc IVault
    function refuseBatch(RefusalItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external
        nonReentrant
    {
        _requireQuorum(refusalRootDigest(root), signatures, _core.threshold());
        for (uint256 i = 0; i < items.length; ++i) {
            RefusalItem calldata item = items[i];
            bytes32 id = _withdrawalId(item.kind, item.withdrawal);
            bytes memory fault = _proofFault(item.proof, root, refusalLeaf(id, item.reason));
            if (fault.length == 0) fault = _refusalFault(item, id);
            if (fault.length == 0) _refuse(item, id);
            else emit RefusalSkipped(id, fault);
        }
    }

    /// @inheritdoc IVault
    function cancelExpired(Kind kind, Withdrawal calldata withdrawal) external nonReentrant {
        bytes32 id = _withdrawalId(kind, withdrawal);
        Life life = _lives[id];
        if (life.state() == State.Queued) {
            // Its deadline counted when it was queued; since then its own expiry does.
            if (block.timestamp <= life.expiresAt()) {
                revert PayoutQueueNotExpired(id, life.expiresAt());
            }
        } else if (life.state() != State.Requested) {
            // An intent without a state simply dies at its deadline.
            revert WithdrawalNotCancellable(id, life.state());
        } else if (block.timestamp <= withdrawal.deadline) {
            revert DeadlineNotPassed(id, withdrawal.deadline);
        }
        _close(kind, withdrawal.owner, id, State.Cancelled);
        emit Cancelled(id, withdrawal.token, withdrawal.owner, _nextSeq(), kind, withdrawal.nonce);
    }

    /// @inheritdoc IVault
    function claim(address token, address to) external nonReentrant returns (uint128 amount) {
        _revertOn(_recipientFault(to));
        amount = claimable[token][msg.sender];
        if (amount == 0) revert NothingToClaim(token, msg.sender);
        claimable[token][msg.sender] = 0;
        _entries[token].claimableTotal -= amount;
        emit Claimed(token, msg.sender, to, _nextSeq(), amount);
        // The caller chose the recipient and pays the gas, so nothing is bounded here and a failure
        // reverts.
        _send(token, to, amount);
    }

    /// @inheritdoc IVault
    function invalidateNonce(uint256 nonce) external nonReentrant {
        if (nonceInvalidated(msg.sender, nonce)) revert NonceUnusable(msg.sender, nonce);
        _invalidNonces[msg.sender][nonce >> 8] |= 1 << (nonce & 0xff);
        emit NonceInvalidated(msg.sender, nonce, _nextSeq());
    }

    /// @inheritdoc IVault
    function disburseTokens(address token, address to, uint256 amount) external {
        // No reentrancy guard: the guarded function that makes this call holds it already.
        if (msg.sender != address(this)) revert OnlyVault(msg.sender);
        _send(token, to, uint128(amount));
    }

    // ---------------------------------------------------------------- administration

    /// @inheritdoc IVault
    function announce(bytes calldata call)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
        returns (bytes32 change)
    {
        change = keccak256(call);
        uint64 readyAt = uint64(block.timestamp) + _LOOSENING_DELAY;
        announcedFor[change] = readyAt;
        emit ChangeAnnounced(change, readyAt, call);
    }

    /// @inheritdoc IVault
    function retract(bytes32 change) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        if (announcedFor[change] == 0) revert NotAnnounced(change);
        delete announcedFor[change];
        emit ChangeRetracted(change);
    }

    /// @inheritdoc IVault
    function listToken(ListingConfig calldata config)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _requireAnnounced();
        _list(config);
    }

    /// @inheritdoc IVault
    function delistToken(address token) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        Book book = _listed(token);
        if (!book.isOpen()) revert TokenAlreadyDelisted(token);
        _entries[token].book = book.opened(false);
        emit TokenDelisted(token, book.ledger(), _nextSeq());
    }

    /// @inheritdoc IVault
    function setLimits(address token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        Book book = _listed(token);
        if (minDeposit < book.minDeposit() || depositCap > book.depositCap()) _requireAnnounced();
        _setLimits(token, minDeposit, minWithdrawal, depositCap);
    }

    /// @inheritdoc IVault
    function setPayoutLimits(address token, PayoutLimits calldata limits)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _listed(token);
        if (_loosens(_entries[token].limits, limits)) _requireAnnounced();
        _setPayoutLimits(token, limits);
    }

    /// @inheritdoc IVault
    function setSigners(address[] calldata newSigners, uint256 newThreshold)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        bool tightens = newThreshold >= _core.threshold();
        for (uint256 i = 0; tightens && i < newSigners.length; ++i) {
            tightens = isSigner[newSigners[i]];
        }
        if (!tightens) _requireAnnounced();
        _setSigners(newSigners, newThreshold);
    }

    /// @notice As in AccessControl; needs an announcement, for without pauser and guardian the
    /// vault stands looser.
    function revokeRole(bytes32 role, address account) public override {
        _requireAnnounced();
        super.revokeRole(role, account);
    }

    /// @inheritdoc IVault
    function pauseDeposits() external nonReentrant onlyRole(PAUSER_ROLE) {
        uint64 until = uint64(block.timestamp) + PAUSE_PERIOD;
        _core = _core.pauseDeposits(until);
        emit DepositsPaused(msg.sender, until);
    }

    /// @inheritdoc IVault
    function pausePayouts() external nonReentrant onlyRole(PAUSER_ROLE) {
        uint64 until = uint64(block.timestamp) + PAUSE_PERIOD;
        _core = _core.pausePayouts(until);
        emit PayoutsPaused(msg.sender, until);
    }

    /// @inheritdoc IVault
    function unpauseDeposits() external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        _requireAnnounced();
        _core = _core.pauseDeposits(0);
        emit DepositsUnpaused(msg.sender);
    }

    /// @inheritdoc IVault
    function unpausePayouts() external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        _requireAnnounced();
        _core = _core.pausePayouts(0);
        emit PayoutsUnpaused(msg.sender);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IVault
    function lastSeq() external view returns (uint64) {
        return _core.lastSeq();
    }

    /// @inheritdoc IVault
    function stateOf(bytes32 id) external view returns (State) {
        return _lives[id].state();
    }

    /// @inheritdoc IVault
    function queuedUntil(bytes32 id)
        external
        view
        returns (uint64 finalizeAfter, uint64 finalizeAfterBlock, uint64 expiresAt)
    {
        Life life = _lives[id];
        return (life.finalizeAfter(), life.finalizeAfterBlock(), life.expiresAt());
    }

    /// @inheritdoc IVault
    function accounted(address token) public view returns (uint128) {
        (uint256 held,) = _books(token);
        return uint128(held);
    }

    /// @inheritdoc IVault
    function payoutBudget(address token) external view returns (uint128) {
        (, uint256 spentUntil) = _books(token);
        return _entries[token].limits.available(spentUntil);
    }

    /// @inheritdoc IVault
    function claimableTotal(address token) external view returns (uint128) {
        return _entries[token].claimableTotal;
    }

    /// @inheritdoc IVault
    function listingOf(address token) external view returns (Listing memory listing) {
        Entry storage entry = _entries[token];
        (Book book, Limits limits) = (entry.book, entry.limits);
        if (book.ledger() == 0) return listing;
        listing.ledger = book.ledger();
        listing.depositsOpen = book.isOpen();
        listing.creditsMeasuredDelta = book.isMeasured();
        listing.scaleDivisor = book.scaleDivisor();
        listing.minDeposit = Decimal.clamp(book.minDeposit());
        listing.minWithdrawal = Decimal.clamp(limits.minWithdrawal());
        listing.depositCap = Decimal.clamp(book.depositCap());
        listing.accounted = accounted(token);
        listing.claimableTotal = entry.claimableTotal;
        listing.payouts = PayoutLimits({
            maxPayout: Decimal.clamp(limits.maxPayout()),
            queueAbove: Decimal.clamp(limits.queueAbove()),
            budgetCapacity: Decimal.clamp(limits.budgetCapacity()),
            budgetPeriod: limits.budgetPeriod()
        });
    }

    /// @inheritdoc IVault
    function settings() external view returns (Settings memory) {
        return Settings({
            minDeadline: _MIN_DEADLINE,
            maxDeadline: _MAX_DEADLINE,
            maxOpenWithdrawals: _MAX_OPEN_WITHDRAWALS,
            looseningDelay: _LOOSENING_DELAY,
            queueWindow: _QUEUE_WINDOW,
            queueWindowBlocks: _QUEUE_WINDOW_BLOCKS,
            queueLifetime: _QUEUE_LIFETIME
        });
    }

    /// @inheritdoc IVault
    function nonceInvalidated(address owner, uint256 nonce) public view returns (bool) {
        return _invalidNonces[owner][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @inheritdoc IVault
    function withdrawalId(Kind kind, Withdrawal calldata withdrawal)
        external
        view
        returns (bytes32)
    {
        return _withdrawalId(kind, withdrawal);
    }

    /// @inheritdoc IVault
    function payoutLeaf(Kind kind, bytes32 id) public pure returns (bytes32) {
        return EfficientHashLib.hash(PAYOUT_LEAF_TYPEHASH, bytes32(uint256(kind)), id);
    }

    /// @inheritdoc IVault
    function refusalLeaf(bytes32 id, RefusalReason reason) public pure returns (bytes32) {
        return EfficientHashLib.hash(REFUSAL_LEAF_TYPEHASH, id, bytes32(uint256(reason)));
    }

    /// @inheritdoc IVault
    function payoutRootDigest(bytes32 root) public view returns (bytes32) {
        return _hashTypedData(EfficientHashLib.hash(PAYOUT_ROOT_TYPEHASH, root));
    }

    /// @inheritdoc IVault
    function refusalRootDigest(bytes32 root) public view returns (bytes32) {
        return _hashTypedData(EfficientHashLib.hash(REFUSAL_ROOT_TYPEHASH, root));
    }

    /// @inheritdoc IVault
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    /// @inheritdoc IVault
    function signers() external view returns (address[] memory) {
        return _signers;
    }

    /// @inheritdoc IVault
    function threshold() external view returns (uint256) {
        return _core.threshold();
    }

    /// @inheritdoc IVault
    function depositsPausedUntil() external view returns (uint64) {
        return _core.depositsPausedUntil();
    }

    /// @inheritdoc IVault
    function payoutsPausedUntil() external view returns (uint64) {
        return _core.payoutsPausedUntil();
    }

    // ---------------------------------------------------------------- internals: what the bases ask

    /// @dev The EIP-712 domain of docs/encoding.md.
    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("SOVR Vault", "1");
    }

    // ---------------------------------------------------------------- internals: sequence

    function _nextSeq() private returns (uint64) {
        Core core = _core.next();
        _core = core;
        return core.lastSeq();
    }

    // ---------------------------------------------------------------- internals: deposits

    /// @dev What is read here is written back after the token was called: the guard keeps everything
    /// that writes it from running in between.
    function _openForDeposit(address token, address owner)
        private
        view
        returns (Core core, Book book)
    {
        core = _core;
        uint64 until = core.depositsPausedUntil();
        if (block.timestamp < until) revert DepositsArePaused(until);
        if (owner == address(0)) revert OwnerIsZero();
        book = _listed(token);
        if (!book.isOpen()) revert TokenDepositsStopped(token);
    }

    function _deposit(address token, uint128 amount, address owner) private {
        (Core core, Book book) = _openForDeposit(token, owner);
        uint256 received = _pull(token, amount);
        if (received != amount) revert ReceivedOtherAmount(token, amount, received);
        _credit(core, book, token, owner, msg.sender, amount);
    }

    /// @dev The sender is always the caller: nobody's allowance can be spent by somebody else.
    function _pull(address token, uint128 amount) private returns (uint256) {
        uint256 before = _balance(token);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        return _gainSince(token, before);
    }

    /// @dev The witness names the beneficiary, so Permit2 refuses a signature made for another.
    function _pullWithPermit2(
        address token,
        uint128 amount,
        address owner,
        SignedTransfer calldata transfer
    ) private {
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(
                IPermit2.TokenPermissions(token, amount), transfer.nonce, transfer.deadline
            ),
            IPermit2.SignatureTransferDetails(address(this), amount),
            transfer.from,
            keccak256(abi.encode(WITNESS_TYPEHASH, owner)),
            WITNESS_TYPE,
            transfer.signature
        );
    }

    function _balance(address token) private view returns (uint256) {
        if (token == ETHER) revert EtherIsNotErc20();
        // A token that destroyed itself would accept every call in silence.
        if (token.code.length == 0) revert TokenHasNoCode(token);
        return IERC20(token).balanceOf(address(this));
    }

    function _gainSince(address token, uint256 before) private view returns (uint256) {
        uint256 afterwards = IERC20(token).balanceOf(address(this));
        return afterwards < before ? 0 : afterwards - before;
    }

    function _credit(
        Core core,
        Book book,
        address token,
        address owner,
        address from,
        uint128 amount
    ) private {
        uint256 held = _heldAfter(book, token, book.accounted(), amount);
        if (held > BookLib.MAX_ACCOUNTED) revert AmountTooLarge(amount);
        _entries[token].book = book.withBooks(held, book.spentUntil());
        core = core.next();
        _core = core;
        emit Deposited(core.lastSeq(), token, owner, from, amount, book.ledger());
    }

    /// @dev What will be accounted with `amount` more, if the token's limits allow it.
    function _heldAfter(Book book, address token, uint256 held, uint256 amount)
        private
        pure
        returns (uint256)
    {
        uint256 minimum = book.minDeposit();
        if (amount < minimum) revert DepositBelowMinimum(token, uint128(amount), uint128(minimum));
        uint128 divisor = book.scaleDivisor();
        if (amount % divisor != 0) revert AmountNotDivisible(token, uint128(amount), divisor);
        uint256 cap = book.depositCap();
        uint256 room = cap > held ? cap - held : 0;
        if (amount > room) revert DepositCapReached(token, uint128(amount), Decimal.clamp(room));
        return held + amount;
    }

    // ---------------------------------------------------------------- internals: withdrawals

    /// @dev The seven words of a withdrawal are hashed as they came: whoever acts on the id reads
    /// its fields, and that refuses what is no clean address or number.
    function _withdrawalId(Kind kind, Withdrawal calldata withdrawal)
        private
        view
        returns (bytes32)
    {
        bytes32 typehash = kind == Kind.Request ? REQUEST_TYPEHASH : INTENT_TYPEHASH;
        bytes32 structHash;
        assembly ("memory-safe") {
            let pointer := mload(0x40) // Free memory, not kept: the hash is all that is wanted.
            mstore(pointer, typehash)
            calldatacopy(add(pointer, 0x20), withdrawal, 0xe0) // The struct is static: 7 words.
            structHash := keccak256(pointer, 0x100)
        }
        return _hashTypedData(structHash);
    }

    function _requestId(address token, address to, uint128 amount, uint64 seq, uint64 deadline)
        private
        view
        returns (bytes32)
    {
        return _hashTypedData(
            keccak256(abi.encode(REQUEST_TYPEHASH, msg.sender, to, token, amount, 0, seq, deadline))
        );
    }

    /// @return needed how many signatures a root needs: of the same slot
    function _requirePayoutsRunning() private view returns (uint256 needed) {
        Core core = _core;
        uint64 until = core.payoutsPausedUntil();
        if (block.timestamp < until) revert PayoutsArePaused(until);
        return core.threshold();
    }

    /// @dev Pays or queues `id` where everything holds; else changes nothing and returns the
    /// encoded error.
    function _tryPay(PayoutItem calldata item, bytes32 id) private returns (bytes memory fault) {
        Withdrawal calldata w = item.withdrawal;
        Limits limits = _entries[w.token].limits;
        fault = _payoutFault(item, id, limits);
        if (fault.length != 0) return fault;
        bool queues = w.amount > limits.queueAbove();
        uint64 seq;
        (seq, fault) = _debit(w.token, w.amount, queues ? 0 : w.amount, w.amount);
        if (fault.length != 0) return fault;
        if (queues) {
            _enqueue(item.kind, w, id, seq);
        } else {
            _close(item.kind, w.owner, id, State.Paid);
            _deliver(item.kind, w, id, seq);
        }
    }

    /// @dev What must hold before `id` may be paid, the books apart, or the encoded error.
    function _payoutFault(PayoutItem calldata item, bytes32 id, Limits limits)
        private
        view
        returns (bytes memory fault)
    {
        Withdrawal calldata w = item.withdrawal;
        State state = _lives[id].state();
        if (state != (item.kind == Kind.Request ? State.Requested : State.None)) {
            return
                _fault(
                    WithdrawalNotPayable.selector, uint256(id), uint256(item.kind), uint256(state)
                );
        }
        if (block.timestamp > w.deadline) {
            return _fault(DeadlinePassed.selector, uint256(id), w.deadline);
        }
        // A request passed the other checks when it was made, and its id proves that nothing
        // changed since; only the largest payout may have been lowered.
        if (item.kind == Kind.Request) return _maximumFault(limits, w.token, w.amount);
        fault = _termsFault(limits, w.token, w.to, w.amount, w.fee);
        if (fault.length != 0) return fault;
        fault = _deadlineFault(w.deadline);
        if (fault.length != 0) return fault;
        if (nonceInvalidated(w.owner, w.nonce)) {
            return _fault(NonceUnusable.selector, _word(w.owner), w.nonce);
        }
        if (!_signedBy(w.owner, id, item.ownerSignature)) {
            return _fault(OwnerSignatureInvalid.selector, uint256(id), _word(w.owner));
        }
    }

    /// @dev Takes `taken` from the books and `spent` from the budget and draws a number, or changes
    /// nothing and returns the encoded error. `needed` must be accounted for in any case.
    function _debit(address token, uint128 needed, uint128 taken, uint128 spent)
        private
        returns (uint64 seq, bytes memory fault)
    {
        Entry storage entry = _entries[token];
        Core core = _core;
        Book book = token == ETHER ? Book.wrap(0) : entry.book;
        (uint256 held, uint256 spentUntil) = _booksIn(token, core, book);
        if (held < needed) {
            return (0, _fault(AccountedTooLow.selector, _word(token), held, needed));
        }
        if (spent != 0) {
            uint256 before = spentUntil;
            spentUntil = entry.limits.spend(before, spent);
            if (spentUntil == 0) return (0, _exhausted(token, before, spent));
        }
        core = core.next();
        if (token == ETHER) core = core.withEther(held - taken, spentUntil);
        else entry.book = book.withBooks(held - taken, spentUntil);
        _core = core;
        seq = core.lastSeq();
    }

    function _exhausted(address token, uint256 spentUntil, uint128 amount)
        private
        view
        returns (bytes memory)
    {
        uint128 available = _entries[token].limits.available(spentUntil);
        return _fault(PayoutBudgetExhausted.selector, _word(token), amount, available);
    }

    function _books(address token) private view returns (uint256 held, uint256 spentUntil) {
        return _booksIn(token, _core, _entries[token].book);
    }

    function _booksIn(address token, Core core, Book book)
        private
        pure
        returns (uint256 held, uint256 spentUntil)
    {
        return token == ETHER
            ? (core.etherAccounted(), core.etherSpentUntil())
            : (book.accounted(), book.spentUntil());
    }

    /// @dev Writes a withdrawal's last state; a request is not open any more.
    function _close(Kind kind, address owner, bytes32 id, State state) private {
        _lives[id] = LifeLib.plain(state);
        if (kind == Kind.Request) --openWithdrawals[owner];
    }

    function _enqueue(Kind kind, Withdrawal calldata w, bytes32 id, uint64 seq) private {
        uint64 finalizeAfter = uint64(block.timestamp) + _QUEUE_WINDOW;
        uint64 expiresAt = finalizeAfter + _QUEUE_LIFETIME;
        _lives[id] = LifeLib.queued(finalizeAfter, block.number + _QUEUE_WINDOW_BLOCKS, expiresAt);
        emit PayoutQueued(
            id,
            w.token,
            w.owner,
            seq,
            kind,
            w.nonce,
            w.to,
            w.amount,
            w.fee,
            finalizeAfter,
            expiresAt
        );
    }

    function _queued(bytes32 id) private view returns (Life life) {
        life = _lives[id];
        if (life.state() != State.Queued) revert PayoutNotQueued(id, life.state());
    }

    /// @dev What a withdrawal of either kind must satisfy about token, recipient and amounts.
    function _termsFault(Limits limits, address token, address to, uint128 amount, uint128 fee)
        private
        view
        returns (bytes memory)
    {
        if (limits.ledger() == 0) return _fault(TokenNotListed.selector, _word(token));
        bytes memory fault = _recipientFault(to);
        if (fault.length != 0) return fault;
        uint256 minimum = limits.minWithdrawal();
        uint128 divisor = limits.scaleDivisor();
        if (amount < minimum) {
            return _fault(WithdrawalBelowMinimum.selector, _word(token), amount, minimum);
        }
        if (amount % divisor != 0) {
            return _fault(AmountNotDivisible.selector, _word(token), amount, divisor);
        }
        if (fee % divisor != 0) {
            return _fault(AmountNotDivisible.selector, _word(token), fee, divisor);
        }
        return _maximumFault(limits, token, amount);
    }

    /// @dev The budget's capacity is never below the largest payout, so this tells also what the
    /// budget can never give.
    function _maximumFault(Limits limits, address token, uint128 amount)
        private
        pure
        returns (bytes memory)
    {
        uint256 maximum = limits.maxPayout();
        if (amount > maximum) {
            return _fault(WithdrawalAboveMaximum.selector, _word(token), amount, maximum);
        }
        return "";
    }

    function _recipientFault(address to) private view returns (bytes memory) {
        // A transfer to the vault itself would leave the money where it is, owned by nobody.
        if (to == address(0) || to == address(this)) {
            return _fault(RecipientNotAllowed.selector, _word(to));
        }
        return "";
    }

    function _deadlineFault(uint64 deadline) private view returns (bytes memory) {
        uint256 latest = block.timestamp + _MAX_DEADLINE;
        if (deadline > latest) {
            return _fault(DeadlineTooFar.selector, deadline, latest);
        }
        return "";
    }

    function _proofFault(bytes32[] calldata proof, bytes32 root, bytes32 leaf)
        private
        pure
        returns (bytes memory)
    {
        if (MerkleProof.processProofCalldata(proof, leaf) != root) {
            return _fault(ProofInvalid.selector, uint256(leaf), uint256(root));
        }
        return "";
    }

    /// @dev The push, after all effects of a payout that succeeds; where it fails, those of one
    /// that is deferred.
    function _deliver(Kind kind, Withdrawal calldata w, bytes32 id, uint64 seq) private {
        if (_tryPush(w.token, w.to, w.amount)) {
            emit Paid(id, w.token, w.owner, seq, kind, w.nonce, w.to, w.amount, w.fee);
        } else {
            // To the owner, never to the recipient: the recipient may be the reason for the
            // failure.
            _lives[id] = LifeLib.plain(State.Deferred);
            claimable[w.token][w.owner] += w.amount;
            _entries[w.token].claimableTotal += w.amount;
            emit PayoutDeferred(id, w.token, w.owner, seq, kind, w.nonce, w.to, w.amount, w.fee);
        }
    }

    /// @dev A push that fails leaves no effect, costs a bounded amount and cannot return a bomb of
    /// data.
    function _tryPush(address token, address to, uint128 amount) private returns (bool success) {
        // A call forwards at most 63/64 of what is left. Without this check a relayer could starve
        // the push and so turn an honest payout into a deferred one.
        uint256 needed = PUSH_GAS + PUSH_GAS / 63 + GAS_AFTER_PUSH;
        if (gasleft() < needed) revert RaiseGasLimit(needed, gasleft());
        uint256 allowance = PUSH_GAS;
        if (token == ETHER) {
            assembly ("memory-safe") {
                // A plain transfer that fails leaves nothing; whatever comes back is not copied.
                success := call(allowance, to, amount, 0, 0, 0, 0)
            }
            return success;
        }
        bytes memory data = abi.encodeCall(this.disburseTokens, (token, to, amount));
        assembly ("memory-safe") {
            // No output area: whatever comes back is not copied.
            success := call(allowance, address(), 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    /// @dev Sends or reverts. Code at the recipient is no criterion: any account may have some.
    function _send(address token, address to, uint128 amount) private {
        bool success;
        if (token == ETHER) {
            assembly ("memory-safe") {
                // No output area: whatever comes back is not copied.
                success := call(gas(), to, amount, 0, 0, 0, 0)
            }
        } else {
            // Where nothing is returned, the library looks for code.
            success = IERC20(token).trySafeTransfer(to, amount);
        }
        if (!success) revert PushFailed(token, to, amount);
    }

    function _refusalFault(RefusalItem calldata item, bytes32 id)
        private
        view
        returns (bytes memory)
    {
        State state = _lives[id].state();
        if (state != (item.kind == Kind.Request ? State.Requested : State.None)) {
            return _fault(
                WithdrawalNotRefusable.selector, uint256(id), uint256(item.kind), uint256(state)
            );
        }
        if (item.reason == RefusalReason.Unspecified) {
            return _fault(RefusalReasonMissing.selector, uint256(id));
        }
        return "";
    }

    function _refuse(RefusalItem calldata item, bytes32 id) private {
        Withdrawal calldata w = item.withdrawal;
        _close(item.kind, w.owner, id, State.Refused);
        emit Refused(id, w.token, w.owner, _nextSeq(), item.kind, w.nonce, item.reason);
    }

    // ---------------------------------------------------------------- internals: signatures

    /// @dev At least `threshold` signatures, each by another known signer.
    function _requireQuorum(bytes32 digest, bytes[] calldata signatures, uint256 needed)
        private
        view
    {
        if (signatures.length < needed) revert SignaturesMissing(signatures.length, needed);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            (address signer, ECDSA.RecoverError err,) =
                ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (err != ECDSA.RecoverError.NoError) revert SignatureInvalid(i);
            // Ascending order makes repeats impossible without a list of who was seen.
            if (signer <= previous) revert SignersNotAscending(i, signer, previous);
            if (!isSigner[signer]) revert SignerUnknown(i, signer);
            previous = signer;
        }
    }

    /// @dev The key of the account first, then its code: an account with delegated code keeps its
    /// key's signature.
    function _signedBy(address owner, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool)
    {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && signer == owner) return true;
        if (owner.code.length == 0) return false;
        bytes memory data = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        uint256 allowance = SIGNATURE_GAS;
        bool success;
        bytes32 answer;
        assembly ("memory-safe") {
            // Bounded gas and one word of output, so that one owner cannot spoil a batch for the
            // others.
            success := staticcall(allowance, owner, add(data, 0x20), mload(data), 0, 0x20)
            success := and(success, gt(returndatasize(), 0x1f))
            answer := mload(0)
        }
        return success && answer == bytes32(IERC1271.isValidSignature.selector);
    }

    function _setSigners(address[] memory newSigners, uint256 newThreshold) private {
        uint256 count = newSigners.length;
        if (count > MAX_SIGNERS) revert TooManySigners(count, MAX_SIGNERS);
        if (newThreshold == 0 || newThreshold > count) {
            revert ThresholdOutOfRange(newThreshold, count);
        }
        for (uint256 i = 0; i < _signers.length; ++i) {
            isSigner[_signers[i]] = false;
        }
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = newSigners[i];
            if (signer <= previous) revert SignerSetNotAscending(i, signer);
            isSigner[signer] = true;
            previous = signer;
        }
        _signers = newSigners;
        _core = _core.withThreshold(newThreshold);
        emit SignersSet(newSigners, newThreshold);
    }

    // ---------------------------------------------------------------- internals: listing

    /// @dev Where a change loosens something: exactly this call must have been announced, and the
    /// announcement is used up.
    function _requireAnnounced() private {
        if (_LOOSENING_DELAY == 0) return;
        bytes32 change = keccak256(msg.data);
        uint64 readyAt = announcedFor[change];
        if (readyAt == 0) revert AnnounceFirst(change);
        if (block.timestamp < readyAt) revert AnnouncementTooYoung(change, readyAt);
        uint64 expiredAt = readyAt + ANNOUNCEMENT_LIFETIME;
        if (block.timestamp > expiredAt) revert AnnouncementExpired(change, expiredAt);
        delete announcedFor[change];
    }

    function _listed(address token) private view returns (Book book) {
        book = _entries[token].book;
        if (book.ledger() == 0) revert TokenNotListed(token);
    }

    function _list(ListingConfig memory config) private {
        address token = config.token;
        Entry storage entry = _entries[token];
        Book book = entry.book;
        if (token != ETHER && token.code.length == 0) revert TokenHasNoCode(token);
        if (book.ledger() == 0) {
            book = _first(config);
        } else {
            if (book.isOpen()) revert TokenAlreadyListed(token);
            if (
                book.ledger() != config.ledger || book.scaleDivisor() != config.scaleDivisor
                    || book.isMeasured() != config.creditsMeasuredDelta
            ) {
                revert ListingIsWriteOnce(
                    token, book.ledger(), book.scaleDivisor(), book.isMeasured()
                );
            }
        }
        entry.book = book.opened(true);
        emit TokenListed(
            token,
            config.ledger,
            _nextSeq(),
            config.scaleDivisor,
            _decimals(token),
            config.creditsMeasuredDelta
        );
        _setLimits(token, config.minDeposit, config.minWithdrawal, config.depositCap);
        _setPayoutLimits(token, config.payouts);
    }

    /// @dev Writes what is write-once of a token that was never listed.
    function _first(ListingConfig memory config) private returns (Book) {
        address token = config.token;
        if (config.ledger < LOWEST_LEDGER || config.ledger > HIGHEST_LEDGER) {
            revert LedgerOutOfRange(config.ledger, LOWEST_LEDGER, HIGHEST_LEDGER);
        }
        address holder = tokenOf[config.ledger];
        if (holder != address(0)) revert LedgerTaken(config.ledger, holder);
        uint256 exponent = 0;
        // Ends at 39, for 10^39 is above every uint128.
        while (10 ** exponent < config.scaleDivisor) ++exponent;
        if (10 ** exponent != config.scaleDivisor) {
            revert ScaleDivisorNotPowerOfTen(token, config.scaleDivisor);
        }
        tokenOf[config.ledger] = token;
        _entries[token].limits = LimitsLib.list(config.ledger, exponent);
        return BookLib.list(config.ledger, exponent, config.creditsMeasuredDelta);
    }

    /// @dev Only for display; 255 says that the token does not tell.
    function _decimals(address token) private view returns (uint8) {
        if (token == ETHER) return 18;
        (bool known, uint8 decimals) = SafeERC20.tryGetDecimals(IERC20(token));
        return known ? decimals : type(uint8).max;
    }

    function _setLimits(
        address token,
        uint128 minDeposit,
        uint128 minWithdrawal,
        uint128 depositCap
    ) private {
        Entry storage entry = _entries[token];
        if (minDeposit == 0 || minWithdrawal == 0) revert MinimumIsZero(token);
        Limits limits = entry.limits;
        if (minWithdrawal > limits.minWithdrawal()) {
            revert MinWithdrawalOnlyGoesDown(
                token, Decimal.clamp(limits.minWithdrawal()), minWithdrawal
            );
        }
        entry.book = entry.book.withLimits(minDeposit, depositCap);
        entry.limits = limits.withMinWithdrawal(minWithdrawal);
        emit LimitsSet(token, minDeposit, minWithdrawal, depositCap);
    }

    function _setPayoutLimits(address token, PayoutLimits memory wanted) private {
        Limits limits = _entries[token].limits;
        uint256 refill;
        unchecked {
            // A period of 0 becomes the largest number.
            refill = uint256(wanted.budgetPeriod) - 1;
        }
        if (wanted.budgetCapacity == 0 || refill >= BUDGET_PERIOD_LIMIT) {
            revert PayoutBudgetIsZero(token);
        }
        uint256 minimum = limits.minWithdrawal();
        if (wanted.maxPayout < minimum || wanted.maxPayout > wanted.budgetCapacity) {
            revert PayoutMaximumOutOfRange(
                token, wanted.maxPayout, Decimal.clamp(minimum), wanted.budgetCapacity
            );
        }
        _entries[token].limits = limits.withPayouts(
            wanted.maxPayout, wanted.queueAbove, wanted.budgetCapacity, wanted.budgetPeriod
        );
        emit PayoutLimitsSet(
            token, wanted.maxPayout, wanted.queueAbove, wanted.budgetCapacity, wanted.budgetPeriod
        );
    }

    /// @dev Larger payouts, fewer in the queue, more at once, or a faster refill.
    function _loosens(Limits current, PayoutLimits memory wanted) private pure returns (bool) {
        uint256 capacity = Decimal.clamp(current.budgetCapacity());
        return wanted.maxPayout > current.maxPayout() || wanted.queueAbove > current.queueAbove()
            || wanted.budgetCapacity > capacity
            || wanted.budgetCapacity * uint256(current.budgetPeriod())
                > capacity * wanted.budgetPeriod;
    }

    /// @dev Encoded errors of one, two and three words: encoding them in place, at each of the many
    /// checks, would take the code over its limit.
    function _fault(bytes4 selector, uint256 a) private pure returns (bytes memory) {
        return abi.encodePacked(selector, a);
    }

    function _fault(bytes4 selector, uint256 a, uint256 b) private pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b);
    }

    function _fault(bytes4 selector, uint256 a, uint256 b, uint256 c)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(selector, a, b, c);
    }

    function _word(address account) private pure returns (uint256) {
        return uint160(account);
    }

    /// @dev Reverts with an encoded error, or returns where there is none.
    function _revertOn(bytes memory fault) private pure {
        if (fault.length == 0) return;
        assembly ("memory-safe") {
            // The bytes are a selector and its arguments already.
            revert(add(fault, 0x20), mload(fault))
        }
    }
}
