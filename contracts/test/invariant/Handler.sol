// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMintable} from "../utils/VaultTest.sol";
import {Honest} from "./Honest.sol";

/// @dev What thieves, relayers, donors and strangers try, besides what honest people do.
contract Handler is Honest {
    uint256 private constant ATTACKS = 8;

    /// @dev Forces ether in, or transfers tokens: a gift to nobody.
    function donate(uint256 which, uint96 amount) external {
        address token = _tokens[which % TOKENS];
        if (token == ETHER) vm.deal(address(vault), address(vault).balance + amount);
        else IMintable(token).mint(address(vault), amount);
        books[token].donated += amount;
        _replay();
    }

    /// @dev Takes a payout that a quorum would sign and changes what makes it valid, in every way.
    function steal(uint256 which) external {
        Known memory it = _due(which);
        if (block.timestamp < _payoutsPausedUntil || !_payableNow(it)) _discard();
        for (uint256 how = 0; how < ATTACKS; ++how) {
            (PayoutItem memory item, bytes[] memory signatures) = _forged(it, how);
            vm.prank(_recipients[CAROL]);
            try vault.payout(item, signatures) {
                _break(Rule.Quorum, string.concat("stolen by way ", vm.toString(how)));
            } catch {}
        }
        // The attacks were made and failed, as they must: nothing happened on chain.
        vm.getRecordedLogs();
        _slipIn(it);
    }

    /// @dev Slips the item into a batch under a root that was signed for something else.
    function _slipIn(Known memory it) private {
        PayoutItem[] memory items = new PayoutItem[](1);
        items[0] = _payoutItem(it);
        items[0].proof = new bytes32[](1);
        bytes32 root = keccak256("another batch");
        bytes[] memory signatures = _sign(_payoutDigest(root));
        vault.payoutBatch(items, root, signatures);
        _replay();
        if (vault.stateOf(it.id) != _beginning(it.kind)) _break(Rule.Quorum, "slipped in");
    }

    function _forged(Known memory it, uint256 how)
        private
        returns (PayoutItem memory item, bytes[] memory signatures)
    {
        item = _payoutItem(it);
        bytes32 leaf = _payoutLeaf(item);
        bytes32 digest = _payoutDigest(leaf);
        signatures = _sign(digest);
        if (how == 0) {
            signatures = _quorum(digest, _threshold - 1);
        } else if (how == 1) {
            signatures[_threshold - 1] = _signature(aliceKey, digest);
        } else if (how == 2) {
            signatures = new bytes[](_threshold + 1);
            for (uint256 i = 0; i < signatures.length; ++i) {
                signatures[i] = _signature(signerKeys[0], digest);
            }
        } else if (how == 3) {
            item.withdrawal.to = makeAddr("thief");
        } else if (how == 4) {
            item.withdrawal.amount += _divisor(item.withdrawal.token);
        } else if (how == 5) {
            signatures = _sign(_refusalDigest(leaf));
        } else if (how == 6) {
            signatures = _sign(_elsewhere(leaf));
        } else {
            signatures[0] = _signature(_retiredKey(), digest);
        }
    }

    /// @dev What the same signers would sign for a vault at another address.
    function _elsewhere(bytes32 root) private view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(keccak256("PayoutRoot(bytes32 root)"), root));
        return keccak256(abi.encodePacked(hex"1901", _separator(address(this)), structHash));
    }

    /// @dev One of the pool who is no signer now.
    function _retiredKey() private view returns (uint256) {
        for (uint256 i = 0; i < _pool.length; ++i) {
            if (!vault.isSigner(_pool[i])) return _poolKeys[i];
        }
        return bobKey;
    }

    /// @dev Submits again what has ended, with signatures of the present quorum.
    function replay(uint256 which) external {
        if (_known.length == 0) _discard();
        Known memory it = _known[which % _known.length];
        if (replayed[it.id] == _beginning(it.kind)) _discard();
        vm.prank(_recipients[CAROL]);
        try vault.veto(it.kind, it.withdrawal) {
            _break(Rule.Access, "a stranger vetoed");
        } catch {}
        PayoutItem memory item = _payoutItem(it);
        try vault.payout(item, _sign(_payoutDigest(_payoutLeaf(item)))) {
            _break(Rule.Lifecycle, "paid what had ended");
        } catch {
            vm.getRecordedLogs();
        }
    }

    /// @dev A relayer who grants too little gas can stop his own transaction, but not turn a
    /// payment into a deferral: `_left` looks at every deferral.
    function starve(uint256 which, uint256 gasLimit) external {
        Known memory it = _due(which);
        PayoutItem memory item = _payoutItem(it);
        bytes[] memory signatures = _sign(_payoutDigest(_payoutLeaf(item)));
        bool due = block.timestamp >= _payoutsPausedUntil && _payableNow(it);
        if (!due) _discard();
        _payable[it.id] = true;
        vm.prank(relayer);
        try vault.payout{gas: bound(gasLimit, 200_000, 700_000)}(item, signatures) {
            _replay();
        } catch {
            vm.getRecordedLogs();
        }
    }

    /// @dev Arms the recipient and the token that call back: what they will try when money moves.
    function arm(uint256 which, uint256 what) external {
        PayoutItem memory item = _payoutItem(_open(which));
        bytes[] memory signatures = _sign(_payoutDigest(_payoutLeaf(item)));
        bytes[6] memory tries = [
            abi.encodeCall(vault.payout, (item, signatures)),
            abi.encodeCall(vault.claim, (item.withdrawal.token, _recipients[REENTRANT])),
            abi.encodeCall(vault.cancelExpired, (item.kind, item.withdrawal)),
            abi.encodeCall(vault.depositEther, (alice)),
            abi.encodeCall(vault.invalidateNonce, (what)),
            abi.encodeCall(vault.disburseTokens, (ETHER, _recipients[REENTRANT], 1))
        ];
        _arm(tries[what % tries.length]);
    }

    /// @dev A stranger, a signer or a user at the operators' doors.
    function trespass(uint256 who, uint256 what) external {
        address[3] memory strangers = [_recipients[CAROL], signerList[0], alice];
        bytes[9] memory doors = [
            abi.encodeCall(vault.listToken, (_dollarListing())),
            abi.encodeCall(vault.delistToken, (ETHER)),
            abi.encodeCall(vault.setSigners, (signerList, 1)),
            abi.encodeCall(vault.pauseDeposits, ()),
            abi.encodeCall(vault.pausePayouts, ()),
            abi.encodeCall(vault.unpauseDeposits, ()),
            abi.encodeCall(vault.unpausePayouts, ()),
            abi.encodeCall(vault.setPayoutLimits, (ETHER, _noPayoutLimits())),
            abi.encodeCall(vault.disburseTokens, (ETHER, _recipients[CAROL], 1))
        ];
        vm.prank(strangers[who % strangers.length]);
        (bool success,) = address(vault).call(doors[what % doors.length]);
        if (success) _break(Rule.Access, "a stranger was let in");
        vm.getRecordedLogs();
    }
}
