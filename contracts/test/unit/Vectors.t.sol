// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {VaultTest} from "../utils/VaultTest.sol";

/// @dev The golden vectors were computed elsewhere, by code that shares nothing with the vault.
/// Each is put to a vault that stands at the vector's address on the vector's chain.
contract VectorsTest is VaultTest {
    string private _json;
    uint256 private _clean;

    function setUp() public override {
        super.setUp();
        _json = vm.readFile("docs/encoding.vectors.json");
        _clean = vm.snapshotState();
    }

    function test_Domains() public {
        uint256 checked = 0;
        for (uint256 i = 0; _has("domain", i); ++i) {
            string memory entry = _at("domain", i);
            if (!_equal(vm.parseJsonString(_json, string.concat(entry, ".in.name")), "SOVR Vault"))
            {
                continue;
            }
            IVault there =
                _vaultAt(_uint(entry, "in.chain_id"), _address(entry, "in.verifying_contract"));
            assertEq(there.domainSeparator(), _bytes32(entry, "out.separator"), entry);
            ++checked;
        }
        assertGt(checked, 0);
    }

    function test_WithdrawalIds() public {
        uint256 i = 0;
        for (; _has("withdrawal_id", i); ++i) {
            string memory entry = _at("withdrawal_id", i);
            IVault there = _vaultAt(_uint(entry, "in.chain_id"), _address(entry, "in.vault"));
            Withdrawal memory w = Withdrawal({
                owner: _address(entry, "in.owner"),
                to: _address(entry, "in.to"),
                token: _address(entry, "in.token"),
                amount: uint128(_uint(entry, "in.amount")),
                fee: uint128(_uint(entry, "in.fee")),
                nonce: _uint(entry, "in.nonce"),
                deadline: uint64(_uint(entry, "in.deadline"))
            });
            assertEq(
                there.withdrawalId(Kind(_uint(entry, "in.kind")), w),
                _bytes32(entry, "out.id"),
                entry
            );
        }
        assertGt(i, 0);
    }

    function test_PayoutLeaves() public view {
        uint256 i = 0;
        for (; _has("payout_leaf", i); ++i) {
            string memory entry = _at("payout_leaf", i);
            assertEq(
                vault.payoutLeaf(Kind(_uint(entry, "in.kind")), _bytes32(entry, "in.id")),
                _bytes32(entry, "out.leaf"),
                entry
            );
        }
        assertGt(i, 0);
    }

    function test_RefusalLeaves() public view {
        uint256 i = 0;
        for (; _has("refusal_leaf", i); ++i) {
            string memory entry = _at("refusal_leaf", i);
            assertEq(
                vault.refusalLeaf(
                    _bytes32(entry, "in.id"), RefusalReason(_uint(entry, "in.reason"))
                ),
                _bytes32(entry, "out.leaf"),
                entry
            );
        }
        assertGt(i, 0);
    }

    function test_RootDigests() public {
        uint256 i = 0;
        for (; _has("root_digest", i); ++i) {
            string memory entry = _at("root_digest", i);
            IVault there = _vaultAt(_uint(entry, "in.chain_id"), _address(entry, "in.vault"));
            bytes32 root = _bytes32(entry, "in.root");
            bool pays =
                _equal(vm.parseJsonString(_json, string.concat(entry, ".in.type")), "PayoutRoot");
            assertEq(
                pays ? there.payoutRootDigest(root) : there.refusalRootDigest(root),
                _bytes32(entry, "out.digest"),
                entry
            );
        }
        assertGt(i, 0);
    }

    /// @dev The proofs that the tests build are those that everybody else builds.
    function test_MerkleTrees() public view {
        uint256 i = 0;
        for (; _has("merkle", i); ++i) {
            string memory entry = _at("merkle", i);
            bytes32[] memory leaves =
                vm.parseJsonBytes32Array(_json, string.concat(entry, ".in.leaves"));
            for (uint256 j = 0; j < leaves.length; ++j) {
                (bytes32 root, bytes32[] memory proof) = _merkle(leaves, j);
                assertEq(root, _bytes32(entry, "out.root"), entry);
                assertEq(
                    proof,
                    vm.parseJsonBytes32Array(
                        _json, string.concat(entry, ".out.proofs[", vm.toString(j), "]")
                    ),
                    entry
                );
            }
        }
        assertGt(i, 0);
    }

    function _vaultAt(uint256 chainId, address where) private returns (IVault) {
        // A constructor needs untouched storage, and vectors share addresses.
        vm.revertToState(_clean);
        vm.chainId(chainId);
        deployCodeTo("Vault.sol:Vault", abi.encode(_config()), where);
        return IVault(where);
    }

    function _has(string memory group, uint256 index) private view returns (bool) {
        return vm.keyExistsJson(_json, _at(group, index));
    }

    function _at(string memory group, uint256 index) private pure returns (string memory) {
        return string.concat(".", group, "[", vm.toString(index), "]");
    }

    function _uint(string memory entry, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(entry, ".", field));
    }

    function _address(string memory entry, string memory field) private view returns (address) {
        return vm.parseJsonAddress(_json, string.concat(entry, ".", field));
    }

    function _bytes32(string memory entry, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, string.concat(entry, ".", field));
    }

    function _equal(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
