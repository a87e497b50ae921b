// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {GasBurner, HungryReceiver, ReentrantReceiver, Rejecter} from "../mocks/Accounts.sol";
import {BlockingToken, CallingToken, FeeToken} from "../mocks/Tokens.sol";
import {IMintable} from "../utils/VaultTest.sol";
import {Books} from "./Books.sol";

/// @dev Who and what the handlers play with: tokens and recipients of which some are hostile, a set
/// of signers that rotates, and every withdrawal that was ever asked for.
abstract contract World is Books {
    struct Known {
        Kind kind;
        Withdrawal withdrawal;
        uint256 key;
        bytes32 id;
    }

    uint256 internal constant TOKENS = 5;
    uint256 internal constant RECIPIENTS = 6;
    uint256 internal constant CAROL = 0;
    uint256 internal constant REJECTER = 1;
    uint256 internal constant BURNER = 2;
    uint256 internal constant BLOCKED = 3;
    uint256 internal constant HUNGRY = 4;
    uint256 internal constant REENTRANT = 5;

    Known[] internal _known;
    address[TOKENS] internal _tokens;
    address[RECIPIENTS] internal _recipients;
    BlockingToken internal _blocking;
    FeeToken internal _fee;
    CallingToken internal _calling;
    /// @dev Five keys, ascending by address, of whom some are the signers at a time.
    address[] internal _pool;
    uint256[] internal _poolKeys;
    mapping(address owner => mapping(uint256 nonce => bool)) internal _spoiled;
    uint64 internal _depositsPausedUntil;
    uint64 internal _payoutsPausedUntil;
    uint256 internal _threshold = THRESHOLD;
    mapping(address token => bool) internal _closed;

    function start() external returns (IVault, address[TOKENS] memory, address[RECIPIENTS] memory) {
        vm.recordLogs();
        for (uint256 i = 0; i < 5; ++i) {
            (address signer, uint256 key) = makeAddrAndKey(string.concat("signer", vm.toString(i)));
            signerList.push(signer);
            signerKeys.push(key);
        }
        _sortPool();
        (_pool, _poolKeys) = (signerList, signerKeys);
        (signerList, signerKeys) = (new address[](0), new uint256[](0));
        setUp();
        _makeTokens();
        _makeRecipients();
        _limitPayouts();
        _replay();
        return (vault, _tokens, _recipients);
    }

    function _makeTokens() private {
        _blocking = new BlockingToken();
        _fee = new FeeToken();
        _calling = new CallingToken();
        _tokens = [ETHER, address(dollar), address(_blocking), address(_fee), address(_calling)];
        for (uint256 i = 2; i < TOKENS; ++i) {
            _list(_tokens[i], uint32(1001 + i), i == 3);
        }
        for (uint256 i = 1; i < TOKENS; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                IMintable(_tokens[i]).mint(_actor(j), type(uint96).max);
                vm.prank(_actor(j));
                IMintable(_tokens[i]).approve(address(vault), type(uint256).max);
            }
        }
    }

    /// @dev So that of the amounts asked for some are refused, some are queued, and the budget is
    /// short now and then.
    function _limitPayouts() private {
        for (uint256 i = 0; i < TOKENS; ++i) {
            uint128 unit = _tokens[i] == ETHER ? 0.001 ether : DOLLAR;
            _limits[_tokens[i]] =
                IVault.PayoutLimits(4500 * unit, 2500 * unit, 20_000 * unit, BUDGET_PERIOD);
            vm.prank(admin);
            vault.setPayoutLimits(_tokens[i], _limits[_tokens[i]]);
        }
    }

    function _makeRecipients() private {
        _recipients[CAROL] = makeAddr("carol");
        _recipients[REJECTER] = address(new Rejecter());
        _recipients[BURNER] = address(new GasBurner());
        _recipients[BLOCKED] = makeAddr("blocked");
        _recipients[HUNGRY] = address(new HungryReceiver());
        _recipients[REENTRANT] = address(new ReentrantReceiver());
        _blocking.setBlocked(_recipients[BLOCKED], true);
        _arm(abi.encodeCall(vault.depositEther, (alice)));
    }

    function _sortPool() private {
        for (uint256 i = 1; i < signerList.length; ++i) {
            for (uint256 j = i; j > 0 && signerList[j] < signerList[j - 1]; --j) {
                (signerList[j], signerList[j - 1]) = (signerList[j - 1], signerList[j]);
                (signerKeys[j], signerKeys[j - 1]) = (signerKeys[j - 1], signerKeys[j]);
            }
        }
    }

    // ---------------------------------------------------------------- what the invariants ask for

    function knownIds() external view returns (bytes32[] memory ids) {
        ids = new bytes32[](_known.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = _known[i].id;
        }
    }

    function known(uint256 index) external view returns (Kind, Withdrawal memory) {
        return (_known[index].kind, _known[index].withdrawal);
    }

    function owners() external view returns (address[2] memory) {
        return [alice, bob];
    }

    function pool() external view returns (address[] memory) {
        return _pool;
    }

    function currentSigners() external view returns (address[] memory, uint256) {
        return (signerList, _threshold);
    }

    /// @dev Whether somebody got a call through while the vault was paying or being paid.
    function reentered() external view returns (bool) {
        return
            ReentrantReceiver(payable(_recipients[REENTRANT])).succeeded()
                || _calling.lastSucceeded();
    }

    // ---------------------------------------------------------------- helpers

    /// @dev What the recipient and the token that call back will try when money moves.
    function _arm(bytes memory data) internal {
        ReentrantReceiver(payable(_recipients[REENTRANT])).arm(address(vault), data);
        _calling.arm(address(vault), data);
    }

    function _actor(uint256 seed) internal view returns (address) {
        return seed % 2 == 0 ? alice : bob;
    }

    function _keyOf(address owner) internal view returns (uint256) {
        return owner == alice ? aliceKey : bobKey;
    }

    function _accepts(address token, address to) internal view override returns (bool) {
        if (token == ETHER) return to != _recipients[REJECTER] && to != _recipients[BURNER];
        return token != address(_blocking) || to != _recipients[BLOCKED];
    }

    function _divisor(address token) internal view returns (uint128) {
        if (token == ETHER) return ETHER_DIVISOR;
        return token == address(dollar) ? DOLLAR_DIVISOR : 1;
    }

    /// @dev Half of them refuse this token, where any does.
    function _recipient(address token, uint256 seed) internal view returns (address) {
        if (seed % 2 == 0) return _recipients[seed / 2 % RECIPIENTS];
        if (token == ETHER) return _recipients[seed % 4 == 1 ? REJECTER : BURNER];
        return _recipients[token == address(_blocking) ? BLOCKED : CAROL];
    }

    /// @dev Between the minimum and `most` minima, divisible.
    function _amount(address token, uint128 seed, uint128 most) internal view returns (uint128) {
        uint128 minimum = token == ETHER ? 0.001 ether : DOLLAR;
        return uint128(bound(seed, minimum, minimum * most)) / _divisor(token) * _divisor(token);
    }

    function _remember(Kind kind, Withdrawal memory w) internal {
        _known.push(Known(kind, w, _keyOf(w.owner), _id(kind, w)));
    }

    /// @dev A withdrawal that can still end, searched from a random place, or any.
    function _open(uint256 seed) internal view returns (Known memory) {
        if (_known.length == 0) vm.assume(false);
        for (uint256 i = 0; i < 12; ++i) {
            Known storage candidate = _known[addmod(seed, i, _known.length)];
            if (replayed[candidate.id] == _beginning(candidate.kind)) return candidate;
        }
        return _known[seed % _known.length];
    }

    /// @dev An open request or a queued payout whose time has passed, searched likewise, or any.
    function _expired(uint256 seed) internal view returns (Known memory) {
        if (_known.length == 0) vm.assume(false);
        for (uint256 i = 0; i < 48; ++i) {
            Known storage candidate = _known[addmod(seed, i, _known.length)];
            if (_isExpired(candidate)) return candidate;
        }
        return _known[seed % _known.length];
    }

    function _isExpired(Known memory it) internal view returns (bool) {
        State state = replayed[it.id];
        if (state == State.Queued) return block.timestamp > _windows[it.id].closes;
        return state == State.Requested && block.timestamp > it.withdrawal.deadline;
    }

    /// @dev Somebody to whom something is owed, searched likewise, or anybody.
    function _creditor(uint256 seed) internal view returns (address owner, address token) {
        for (uint256 i = 0; i < 2 * TOKENS; ++i) {
            (owner, token) = (_actor(addmod(seed, i, 2)), _tokens[addmod(seed, i, TOKENS)]);
            if (owed[token][owner] != 0) break;
        }
    }

    /// @dev One that a quorum's signatures would pay now, searched likewise, or as `_open`.
    function _due(uint256 seed) internal view returns (Known memory) {
        if (_known.length == 0) vm.assume(false);
        for (uint256 i = 0; i < 24; ++i) {
            Known storage candidate = _known[addmod(seed, i, _known.length)];
            if (_payableNow(candidate)) return candidate;
        }
        return _open(seed);
    }

    function _payableNow(Known memory it) internal view returns (bool) {
        Withdrawal memory w = it.withdrawal;
        if (replayed[it.id] != _beginning(it.kind) || block.timestamp > w.deadline) return false;
        if (it.kind == Kind.Intent && _spoiled[w.owner][w.nonce]) return false;
        if (w.amount > _limits[w.token].maxPayout) return false;
        return w.amount <= vault.payoutBudget(w.token) && _covered(w);
    }

    function _covered(Withdrawal memory w) internal view returns (bool) {
        return w.amount <= books[w.token].sent - books[w.token].paid - books[w.token].deferred;
    }

    /// @dev A payout in the queue, searched likewise, or any.
    function _waiting(uint256 seed) internal view returns (Known memory) {
        if (_known.length == 0) vm.assume(false);
        for (uint256 i = 0; i < 24; ++i) {
            Known storage candidate = _known[addmod(seed, i, _known.length)];
            if (replayed[candidate.id] == State.Queued) return candidate;
        }
        return _known[seed % _known.length];
    }

    function _payoutItem(Known memory it) internal view returns (PayoutItem memory) {
        return
            it.kind == Kind.Request
                ? _requestItem(it.withdrawal)
                : _intentItem(it.withdrawal, it.key);
    }

    function _payoutDigest(bytes32 root) internal view returns (bytes32) {
        return _typedHash("PayoutRoot(bytes32 root)", root);
    }

    function _refusalDigest(bytes32 root) internal view returns (bytes32) {
        return _typedHash("RefusalRoot(bytes32 root)", root);
    }

    /// @dev As many of the present signers as are needed.
    function _sign(bytes32 digest) internal view returns (bytes[] memory) {
        return _quorum(digest, _threshold);
    }
}
