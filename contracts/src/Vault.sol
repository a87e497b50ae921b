// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IVault} from "./interfaces/IVault.sol";

/// @title The SOVR vault
/// @notice See `IVault`. Immutable: no proxy, no delegatecall, no function that moves pooled funds
/// other than `payout`, `payoutBatch` and `claim`, and no call whose target or data a caller
/// chooses freely.
contract Vault is IVault, AccessControlDefaultAdminRules, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    // ---------------------------------------------------------------- constants

    /// @notice Stands for ether wherever a token address is asked for.
    address public constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @notice May pause deposits and payouts.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @notice May veto queued payouts.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @notice How long a pause lasts unless lifted or repeated.
    uint64 public constant PAUSE_PERIOD = 3 days;

    /// @notice No vault accepts deadlines further away than this.
    uint64 public constant DEADLINE_LIMIT = 30 days;

    /// @notice Lowest ledger number that a vault may list; those below are reserved.
    uint32 public constant LOWEST_LEDGER = 1000;

    /// @notice Highest ledger number that a vault may list; those above belong to limits.
    uint32 public constant HIGHEST_LEDGER = type(uint32).max >> 1;

    /// @notice Largest signer set, so that a quorum check always fits a block.
    uint256 public constant MAX_SIGNERS = 32;

    /// @notice Gas that a push gets: enough for costly tokens, too little to drain a batch.
    uint256 public constant PUSH_GAS = 200_000;

    /// @notice Gas that a contract owner gets to check its signature.
    uint256 public constant SIGNATURE_GAS = 100_000;

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

    // ---------------------------------------------------------------- storage

    /// @dev One slot, touched by every action.
    struct Core {
        uint64 lastSeq;
        uint64 depositsPausedUntil;
        uint64 payoutsPausedUntil;
        uint64 threshold;
    }

    /// @dev Three slots. A deposit touches the first two, a payout too; the third serves requests
    /// and deferrals.
    struct Entry {
        uint128 scaleDivisor;
        // 88 bits hold 300 million tokens of 18 decimals, and the whole of what a deposit reads
        // fits one slot.
        uint88 minDeposit;
        uint32 ledger;
        // Bit 0: deposits are open. Bit 1: credits the measured delta.
        uint8 flags;
        uint128 accounted;
        uint128 depositCap;
        uint128 minWithdrawal;
        uint128 claimableTotal;
    }

    uint8 private constant OPEN = 1;
    uint8 private constant MEASURED = 2;

    /// @inheritdoc IVault
    uint64 public immutable minDeadline;
    /// @inheritdoc IVault
    uint64 public immutable maxDeadline;
    /// @inheritdoc IVault
    uint32 public immutable maxOpenWithdrawals;

    Core private _core;
    mapping(address token => Entry) private _entries;
    /// @inheritdoc IVault
    mapping(uint32 ledger => address token) public tokenOf;
    /// @inheritdoc IVault
    mapping(bytes32 id => State) public stateOf;
    /// @inheritdoc IVault
    mapping(address owner => uint256) public openWithdrawals;
    /// @inheritdoc IVault
    mapping(address token => mapping(address owner => uint128)) public claimable;
    /// @dev 256 nonces to a word: a wallet that counts pays for a fresh slot once in 256.
    mapping(address owner => mapping(uint256 word => uint256 bits)) private _invalidNonces;
    /// @inheritdoc IVault
    mapping(address account => bool) public isSigner;
    address[] private _signers;

    // ---------------------------------------------------------------- construction

    constructor(VaultConfig memory config)
        AccessControlDefaultAdminRules(config.adminDelay, config.admin)
        EIP712("SOVR Vault", "1")
    {
        if (
            config.minDeadline == 0 || config.minDeadline >= config.maxDeadline
                || config.maxDeadline > DEADLINE_LIMIT
        ) {
            revert DeadlineWindowInvalid(config.minDeadline, config.maxDeadline, DEADLINE_LIMIT);
        }
        if (config.maxOpenWithdrawals == 0) revert OpenWithdrawalsCapIsZero();
        minDeadline = config.minDeadline;
        maxDeadline = config.maxDeadline;
        maxOpenWithdrawals = config.maxOpenWithdrawals;
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
        if (msg.value > type(uint128).max) revert AmountTooLarge(msg.value);
        Entry storage entry = _openForDeposit(ETHER, owner);
        _credit(entry, ETHER, owner, uint128(msg.value));
    }

    /// @inheritdoc IVault
    function deposit(address token, uint128 amount, address owner) external nonReentrant {
        Entry storage entry = _openForDeposit(token, owner);
        uint256 received = _pull(token, amount);
        if (received != amount) revert ReceivedOtherAmount(token, amount, received);
        _credit(entry, token, owner, amount);
    }

    /// @inheritdoc IVault
    function depositMeasured(address token, uint128 amount, uint128 minReceived, address owner)
        external
        nonReentrant
        returns (uint128)
    {
        Entry storage entry = _openForDeposit(token, owner);
        if (entry.flags & MEASURED == 0) revert UseDeposit(token);
        uint256 received = _pull(token, amount);
        // More than was sent can only be a donation slipped in on the way, or a token that lies.
        if (received > amount) revert ReceivedOtherAmount(token, amount, received);
        if (received < minReceived) revert ReceivedTooLittle(token, received, minReceived);
        _credit(entry, token, owner, uint128(received));
        return uint128(received);
    }

    // ---------------------------------------------------------------- withdrawals

    /// @inheritdoc IVault
    function requestWithdrawal(address token, address to, uint128 amount, uint64 deadline)
        external
        nonReentrant
        returns (bytes32 id)
    {
        Entry storage entry = _entries[token];
        _revertOn(_termsFault(entry, token, to, amount, 0));
        if (deadline < block.timestamp + minDeadline) {
            revert DeadlineTooSoon(deadline, uint64(block.timestamp + minDeadline));
        }
        _revertOn(_deadlineFault(deadline));
        uint256 open = openWithdrawals[msg.sender];
        if (open >= maxOpenWithdrawals) {
            revert TooManyOpenWithdrawals(msg.sender, open, maxOpenWithdrawals);
        }
        openWithdrawals[msg.sender] = open + 1;
        uint64 seq = _nextSeq();
        // The sequence number makes the id unique, so it can never have had a state before.
        id = _withdrawalId(
            Kind.Request, Withdrawal(msg.sender, to, token, amount, 0, seq, deadline)
        );
        stateOf[id] = State.Requested;
        emit WithdrawalRequested(id, token, msg.sender, seq, to, amount, deadline, entry.ledger);
    }

    /// @inheritdoc IVault
    function payout(PayoutItem calldata item, bytes[] calldata signatures) external nonReentrant {
        _requirePayoutsRunning();
        bytes32 id = _withdrawalId(item.kind, item.withdrawal);
        bytes32 root = MerkleProof.processProofCalldata(item.proof, payoutLeaf(item.kind, id));
        _requireQuorum(payoutRootDigest(root), signatures);
        _revertOn(_payoutFault(item, id));
        _pay(item, id);
    }

    /// @inheritdoc IVault
    function payoutBatch(PayoutItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external
        nonReentrant
    {
        _requirePayoutsRunning();
        _requireQuorum(payoutRootDigest(root), signatures);
        for (uint256 i = 0; i < items.length; ++i) {
            PayoutItem calldata item = items[i];
            bytes32 id = _withdrawalId(item.kind, item.withdrawal);
            bytes memory fault = _proofFault(item.proof, root, payoutLeaf(item.kind, id));
            if (fault.length == 0) fault = _payoutFault(item, id);
            if (fault.length == 0) _pay(item, id);
            else emit PayoutSkipped(id, fault);
        }
    }

    /// @inheritdoc IVault
    function refuse(RefusalItem calldata item, bytes[] calldata signatures) external nonReentrant {
        bytes32 id = _withdrawalId(item.kind, item.withdrawal);
        bytes32 root = MerkleProof.processProofCalldata(item.proof, refusalLeaf(id, item.reason));
        _requireQuorum(refusalRootDigest(root), signatures);
        _revertOn(_refusalFault(item, id));
        _refuse(item, id);
    }

    /// @inheritdoc IVault
    function refuseBatch(RefusalItem[] calldata items, bytes32 root, bytes[] calldata signatures)
        external
        nonReentrant
    {
        _requireQuorum(refusalRootDigest(root), signatures);
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
        State state = stateOf[id];
        // Only requests are ever Requested: an intent without a state simply dies at its deadline.
        if (state != State.Requested) revert WithdrawalNotCancellable(id, state);
        if (block.timestamp <= withdrawal.deadline) {
            revert DeadlineNotPassed(id, withdrawal.deadline);
        }
        stateOf[id] = State.Cancelled;
        --openWithdrawals[withdrawal.owner];
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
    function push(address token, address to, uint128 amount) external {
        // No reentrancy guard: the guarded function that makes this call holds it already.
        if (msg.sender != address(this)) revert OnlyVault(msg.sender);
        _send(token, to, amount);
    }

    // ---------------------------------------------------------------- administration

    /// @inheritdoc IVault
    function listToken(ListingConfig calldata config)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _list(config);
    }

    /// @inheritdoc IVault
    function delistToken(address token) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        Entry storage entry = _listed(token);
        if (entry.flags & OPEN == 0) revert TokenAlreadyDelisted(token);
        entry.flags &= ~OPEN;
        emit TokenDelisted(token, entry.ledger, _nextSeq());
    }

    /// @inheritdoc IVault
    function setLimits(address token, uint128 minDeposit, uint128 minWithdrawal, uint128 depositCap)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _setLimits(_listed(token), token, minDeposit, minWithdrawal, depositCap);
    }

    /// @inheritdoc IVault
    function setSigners(address[] calldata newSigners, uint256 newThreshold)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _setSigners(newSigners, newThreshold);
    }

    /// @inheritdoc IVault
    function pauseDeposits() external nonReentrant onlyRole(PAUSER_ROLE) {
        uint64 until = uint64(block.timestamp) + PAUSE_PERIOD;
        _core.depositsPausedUntil = until;
        emit DepositsPaused(msg.sender, until);
    }

    /// @inheritdoc IVault
    function pausePayouts() external nonReentrant onlyRole(PAUSER_ROLE) {
        uint64 until = uint64(block.timestamp) + PAUSE_PERIOD;
        _core.payoutsPausedUntil = until;
        emit PayoutsPaused(msg.sender, until);
    }

    /// @inheritdoc IVault
    function unpauseDeposits() external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        _core.depositsPausedUntil = 0;
        emit DepositsUnpaused(msg.sender);
    }

    /// @inheritdoc IVault
    function unpausePayouts() external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        _core.payoutsPausedUntil = 0;
        emit PayoutsUnpaused(msg.sender);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IVault
    function lastSeq() external view returns (uint64) {
        return _core.lastSeq;
    }

    /// @inheritdoc IVault
    function accounted(address token) external view returns (uint128) {
        return _entries[token].accounted;
    }

    /// @inheritdoc IVault
    function claimableTotal(address token) external view returns (uint128) {
        return _entries[token].claimableTotal;
    }

    /// @inheritdoc IVault
    function listingOf(address token) external view returns (Listing memory) {
        Entry storage entry = _entries[token];
        return Listing({
            ledger: entry.ledger,
            depositsOpen: entry.flags & OPEN != 0,
            creditsMeasuredDelta: entry.flags & MEASURED != 0,
            scaleDivisor: entry.scaleDivisor,
            minDeposit: entry.minDeposit,
            minWithdrawal: entry.minWithdrawal,
            depositCap: entry.depositCap,
            accounted: entry.accounted,
            claimableTotal: entry.claimableTotal
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
        return keccak256(abi.encode(PAYOUT_LEAF_TYPEHASH, kind, id));
    }

    /// @inheritdoc IVault
    function refusalLeaf(bytes32 id, RefusalReason reason) public pure returns (bytes32) {
        return keccak256(abi.encode(REFUSAL_LEAF_TYPEHASH, id, reason));
    }

    /// @inheritdoc IVault
    function payoutRootDigest(bytes32 root) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(PAYOUT_ROOT_TYPEHASH, root)));
    }

    /// @inheritdoc IVault
    function refusalRootDigest(bytes32 root) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REFUSAL_ROOT_TYPEHASH, root)));
    }

    /// @inheritdoc IVault
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IVault
    function signers() external view returns (address[] memory) {
        return _signers;
    }

    /// @inheritdoc IVault
    function threshold() external view returns (uint256) {
        return _core.threshold;
    }

    /// @inheritdoc IVault
    function depositsPausedUntil() external view returns (uint64) {
        return _core.depositsPausedUntil;
    }

    /// @inheritdoc IVault
    function payoutsPausedUntil() external view returns (uint64) {
        return _core.payoutsPausedUntil;
    }

    // ---------------------------------------------------------------- internals: sequence

    function _nextSeq() private returns (uint64) {
        return ++_core.lastSeq;
    }

    // ---------------------------------------------------------------- internals: deposits

    function _openForDeposit(address token, address owner) private view returns (Entry storage) {
        uint64 until = _core.depositsPausedUntil;
        if (block.timestamp < until) revert DepositsArePaused(until);
        if (owner == address(0)) revert OwnerIsZero();
        Entry storage entry = _listed(token);
        if (entry.flags & OPEN == 0) revert TokenDepositsStopped(token);
        return entry;
    }

    /// @dev The sender is always the caller: nobody's allowance can be spent by somebody else.
    function _pull(address token, uint128 amount) private returns (uint256) {
        if (token == ETHER) revert EtherIsNotErc20();
        // A token that destroyed itself would accept every call in silence.
        if (token.code.length == 0) revert TokenHasNoCode(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 afterwards = IERC20(token).balanceOf(address(this));
        return afterwards < before ? 0 : afterwards - before;
    }

    function _credit(Entry storage entry, address token, address owner, uint128 amount) private {
        uint128 minimum = entry.minDeposit;
        if (amount < minimum) revert DepositBelowMinimum(token, amount, minimum);
        uint128 divisor = entry.scaleDivisor;
        if (amount % divisor != 0) revert AmountNotDivisible(token, amount, divisor);
        uint128 held = entry.accounted;
        uint128 cap = entry.depositCap;
        uint128 room = cap > held ? cap - held : 0;
        if (amount > room) revert DepositCapReached(token, amount, room);
        entry.accounted = held + amount;
        emit Deposited(_nextSeq(), token, owner, msg.sender, amount, entry.ledger);
    }

    // ---------------------------------------------------------------- internals: withdrawals

    function _withdrawalId(Kind kind, Withdrawal memory withdrawal) private view returns (bytes32) {
        bytes32 typehash = kind == Kind.Request ? REQUEST_TYPEHASH : INTENT_TYPEHASH;
        return _hashTypedDataV4(keccak256(abi.encode(typehash, withdrawal)));
    }

    function _requirePayoutsRunning() private view {
        uint64 until = _core.payoutsPausedUntil;
        if (block.timestamp < until) revert PayoutsArePaused(until);
    }

    /// @dev Everything that must hold before `id` may be paid, or the encoded error. Changes
    /// nothing.
    function _payoutFault(PayoutItem calldata item, bytes32 id)
        private
        view
        returns (bytes memory fault)
    {
        Withdrawal calldata w = item.withdrawal;
        State state = stateOf[id];
        if (state != (item.kind == Kind.Request ? State.Requested : State.None)) {
            return abi.encodeWithSelector(WithdrawalNotPayable.selector, id, item.kind, state);
        }
        if (block.timestamp > w.deadline) {
            return abi.encodeWithSelector(DeadlinePassed.selector, id, w.deadline);
        }
        Entry storage entry = _entries[w.token];
        // A request passed these checks when it was made, and its id proves that nothing changed
        // since.
        if (item.kind == Kind.Intent) {
            fault = _termsFault(entry, w.token, w.to, w.amount, w.fee);
            if (fault.length != 0) return fault;
            fault = _deadlineFault(w.deadline);
            if (fault.length != 0) return fault;
            if (nonceInvalidated(w.owner, w.nonce)) {
                return abi.encodeWithSelector(NonceUnusable.selector, w.owner, w.nonce);
            }
            if (!_signedBy(w.owner, id, item.ownerSignature)) {
                return abi.encodeWithSelector(OwnerSignatureInvalid.selector, id, w.owner);
            }
        }
        uint128 held = entry.accounted;
        if (held < w.amount) {
            return abi.encodeWithSelector(AccountedTooLow.selector, w.token, held, w.amount);
        }
    }

    /// @dev What a withdrawal of either kind must satisfy about token, recipient and amounts.
    function _termsFault(
        Entry storage entry,
        address token,
        address to,
        uint128 amount,
        uint128 fee
    ) private view returns (bytes memory) {
        uint128 divisor = entry.scaleDivisor;
        if (divisor == 0) return abi.encodeWithSelector(TokenNotListed.selector, token);
        bytes memory fault = _recipientFault(to);
        if (fault.length != 0) return fault;
        uint128 minimum = entry.minWithdrawal;
        if (amount < minimum) {
            return abi.encodeWithSelector(WithdrawalBelowMinimum.selector, token, amount, minimum);
        }
        if (amount % divisor != 0) {
            return abi.encodeWithSelector(AmountNotDivisible.selector, token, amount, divisor);
        }
        if (fee % divisor != 0) {
            return abi.encodeWithSelector(AmountNotDivisible.selector, token, fee, divisor);
        }
        return "";
    }

    function _recipientFault(address to) private view returns (bytes memory) {
        // A transfer to the vault itself would leave the money where it is, owned by nobody.
        if (to == address(0) || to == address(this)) {
            return abi.encodeWithSelector(RecipientNotAllowed.selector, to);
        }
        return "";
    }

    function _deadlineFault(uint64 deadline) private view returns (bytes memory) {
        uint256 latest = block.timestamp + maxDeadline;
        if (deadline > latest) {
            return abi.encodeWithSelector(DeadlineTooFar.selector, deadline, latest);
        }
        return "";
    }

    function _proofFault(bytes32[] calldata proof, bytes32 root, bytes32 leaf)
        private
        pure
        returns (bytes memory)
    {
        if (MerkleProof.processProofCalldata(proof, leaf) != root) {
            return abi.encodeWithSelector(ProofInvalid.selector, leaf, root);
        }
        return "";
    }

    /// @dev Effects, then the push. Every check was made before; only the push itself may still
    /// fail.
    function _pay(PayoutItem calldata item, bytes32 id) private {
        Withdrawal calldata w = item.withdrawal;
        stateOf[id] = State.Paid;
        if (item.kind == Kind.Request) --openWithdrawals[w.owner];
        _entries[w.token].accounted -= w.amount;

        if (_tryPush(w.token, w.to, w.amount)) {
            emit Paid(id, w.token, w.owner, _nextSeq(), item.kind, w.nonce, w.to, w.amount, w.fee);
        } else {
            // To the owner, never to the recipient: the recipient may be the reason for the
            // failure.
            stateOf[id] = State.Deferred;
            claimable[w.token][w.owner] += w.amount;
            _entries[w.token].claimableTotal += w.amount;
            emit PayoutDeferred(
                id, w.token, w.owner, _nextSeq(), item.kind, w.nonce, w.to, w.amount, w.fee
            );
        }
    }

    /// @dev A push that fails leaves no effect, costs a bounded amount and cannot return a bomb of
    /// data.
    function _tryPush(address token, address to, uint128 amount) private returns (bool success) {
        // A call forwards at most 63/64 of what is left. Without this check a relayer could starve
        // the push and so turn an honest payout into a deferred one.
        uint256 needed = PUSH_GAS + PUSH_GAS / 63 + GAS_AFTER_PUSH;
        if (gasleft() < needed) revert RaiseGasLimit(needed, gasleft());
        bytes memory data = abi.encodeCall(this.push, (token, to, amount));
        uint256 allowance = PUSH_GAS;
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
            success = token.code.length != 0 && IERC20(token).trySafeTransfer(to, amount);
        }
        if (!success) revert PushFailed(token, to, amount);
    }

    function _refusalFault(RefusalItem calldata item, bytes32 id)
        private
        view
        returns (bytes memory)
    {
        State state = stateOf[id];
        if (state != (item.kind == Kind.Request ? State.Requested : State.None)) {
            return abi.encodeWithSelector(WithdrawalNotRefusable.selector, id, item.kind, state);
        }
        if (item.reason == RefusalReason.Unspecified) {
            return abi.encodeWithSelector(RefusalReasonMissing.selector, id);
        }
        return "";
    }

    function _refuse(RefusalItem calldata item, bytes32 id) private {
        Withdrawal calldata w = item.withdrawal;
        stateOf[id] = State.Refused;
        if (item.kind == Kind.Request) --openWithdrawals[w.owner];
        emit Refused(id, w.token, w.owner, _nextSeq(), item.kind, w.nonce, item.reason);
    }

    // ---------------------------------------------------------------- internals: signatures

    /// @dev At least `threshold` signatures, each by another known signer.
    function _requireQuorum(bytes32 digest, bytes[] calldata signatures) private view {
        uint256 needed = _core.threshold;
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
        _core.threshold = uint64(newThreshold);
        emit SignersSet(newSigners, newThreshold);
    }

    // ---------------------------------------------------------------- internals: listing

    function _listed(address token) private view returns (Entry storage entry) {
        entry = _entries[token];
        if (entry.ledger == 0) revert TokenNotListed(token);
    }

    function _list(ListingConfig memory config) private {
        address token = config.token;
        Entry storage entry = _entries[token];
        uint8 measured = config.creditsMeasuredDelta ? MEASURED : 0;
        if (token != ETHER && token.code.length == 0) revert TokenHasNoCode(token);
        if (entry.ledger == 0) {
            if (config.ledger < LOWEST_LEDGER || config.ledger > HIGHEST_LEDGER) {
                revert LedgerOutOfRange(config.ledger, LOWEST_LEDGER, HIGHEST_LEDGER);
            }
            address holder = tokenOf[config.ledger];
            if (holder != address(0)) revert LedgerTaken(config.ledger, holder);
            if (config.scaleDivisor == 0) revert ScaleDivisorIsZero(token);
            tokenOf[config.ledger] = token;
            entry.ledger = config.ledger;
            entry.scaleDivisor = config.scaleDivisor;
            entry.flags = measured;
            // So that the first limits pass the rule that this minimum only goes down.
            entry.minWithdrawal = type(uint128).max;
        } else {
            if (entry.flags & OPEN != 0) revert TokenAlreadyListed(token);
            if (
                entry.ledger != config.ledger || entry.scaleDivisor != config.scaleDivisor
                    || entry.flags != measured
            ) {
                revert ListingIsWriteOnce(
                    token, entry.ledger, entry.scaleDivisor, entry.flags & MEASURED != 0
                );
            }
        }
        entry.flags = measured | OPEN;
        uint8 decimals = 18;
        if (token != ETHER) {
            bool known;
            (known, decimals) = SafeERC20.tryGetDecimals(IERC20(token));
            // Decimals are only for display; 255 says that the token does not tell.
            if (!known) decimals = type(uint8).max;
        }
        emit TokenListed(
            token,
            config.ledger,
            _nextSeq(),
            config.scaleDivisor,
            decimals,
            config.creditsMeasuredDelta
        );
        _setLimits(entry, token, config.minDeposit, config.minWithdrawal, config.depositCap);
    }

    function _setLimits(
        Entry storage entry,
        address token,
        uint128 minDeposit,
        uint128 minWithdrawal,
        uint128 depositCap
    ) private {
        if (minDeposit == 0 || minWithdrawal == 0) revert MinimumIsZero(token);
        if (minDeposit > type(uint88).max) {
            revert MinimumTooHigh(token, minDeposit, type(uint88).max);
        }
        if (minWithdrawal > entry.minWithdrawal) {
            revert MinWithdrawalOnlyGoesDown(token, entry.minWithdrawal, minWithdrawal);
        }
        entry.minDeposit = uint88(minDeposit);
        entry.minWithdrawal = minWithdrawal;
        entry.depositCap = depositCap;
        emit LimitsSet(token, minDeposit, minWithdrawal, depositCap);
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
