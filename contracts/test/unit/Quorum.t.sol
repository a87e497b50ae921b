// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VaultTest} from "../utils/VaultTest.sol";

contract QuorumTest is VaultTest {
    event SignersSet(address[] signers, uint256 threshold);

    uint256 private constant CURVE_ORDER =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    PayoutItem private _item;
    bytes32 private _rootDigest;

    function setUp() public override {
        super.setUp();
        _depositEther(alice, 100 ether);
        (Withdrawal memory w,) = _request(alice, ETHER, bob, 1 ether);
        _item.kind = Kind.Request;
        _item.withdrawal = w;
        _rootDigest = _typedHash("PayoutRoot(bytes32 root)", _payoutLeaf(_item));
    }

    function test_AllSignersMaySign() public {
        vault.payout(_item, _quorum(_rootDigest, 3));
    }

    function test_TooFewSignaturesDoNotPay() public {
        bytes[] memory signatures = _quorum(_rootDigest, 1);
        vm.expectRevert(abi.encodeWithSelector(SignaturesMissing.selector, 1, 2));
        vault.payout(_item, signatures);
    }

    function test_OneSignerDoesNotCountTwice() public {
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        signatures[1] = signatures[0];
        vm.expectRevert(
            abi.encodeWithSelector(SignersNotAscending.selector, 1, signerList[0], signerList[0])
        );
        vault.payout(_item, signatures);
    }

    function test_SignersMustAscend() public {
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        vm.expectRevert(
            abi.encodeWithSelector(SignersNotAscending.selector, 1, signerList[0], signerList[1])
        );
        vault.payout(_item, signatures);
    }

    function testFuzz_StrangersDoNotCount(uint256 key) public {
        key = bound(key, 1, CURVE_ORDER - 1);
        address stranger = vm.addr(key);
        vm.assume(!vault.isSigner(stranger));
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        uint256 place = stranger < signerList[1] ? 0 : 1;
        signatures[place] = _signature(key, _rootDigest);
        vm.expectRevert(abi.encodeWithSelector(SignerUnknown.selector, place, stranger));
        vault.payout(_item, signatures);
    }

    function test_TheHighTwinOfASignatureIsRefused() public {
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signerKeys[1], _rootDigest);
        signatures[1] =
            abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(SignatureInvalid.selector, 1));
        vault.payout(_item, signatures);
    }

    function testFuzz_GarbageIsNoSignature(bytes calldata garbage) public {
        vm.assume(garbage.length != 65);
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        signatures[0] = garbage;
        vm.expectRevert(abi.encodeWithSelector(SignatureInvalid.selector, 0));
        vault.payout(_item, signatures);
    }

    function test_ABadSignatureBeyondTheThresholdIsNotOverlooked() public {
        bytes[] memory signatures = _quorum(_rootDigest, 3);
        signatures[2] = hex"00";
        vm.expectRevert(abi.encodeWithSelector(SignatureInvalid.selector, 2));
        vault.payout(_item, signatures);
    }

    function test_SignaturesOfAnotherChainOrVaultDoNotPay() public {
        bytes[] memory signatures = _quorum(_rootDigest, 2);
        vm.chainId(31_338);
        vm.expectRevert();
        vault.payout(_item, signatures);
        vm.chainId(31_337);
        address other = deployCode("Vault.sol:Vault", abi.encode(_config()));
        bytes32 leaf = _payoutLeaf(_item);
        bytes32 foreign = keccak256(
            abi.encodePacked(
                hex"1901",
                _separator(other),
                keccak256(abi.encode(keccak256("PayoutRoot(bytes32 root)"), leaf))
            )
        );
        bytes[] memory foreignSignatures = _quorum(foreign, 2);
        vm.expectRevert();
        vault.payout(_item, foreignSignatures);
        vault.payout(_item, signatures);
    }

    // ---------------------------------------------------------------- the set

    function test_ANewSetReplacesTheOldOne() public {
        address[] memory set = new address[](1);
        set[0] = bob;
        bytes[] memory old = _quorum(_rootDigest, 2);
        vm.expectEmit(address(vault));
        emit SignersSet(set, 1);
        vm.prank(admin);
        vault.setSigners(set, 1);
        assertEq(vault.signers(), set);
        assertEq(vault.threshold(), 1);
        for (uint256 i = 0; i < signerList.length; ++i) {
            assertFalse(vault.isSigner(signerList[i]));
        }
        vm.expectRevert(abi.encodeWithSelector(SignerUnknown.selector, 0, signerList[0]));
        vault.payout(_item, old);
        bytes[] memory one = new bytes[](1);
        one[0] = _signature(bobKey, _rootDigest);
        vault.payout(_item, one);
    }

    function testFuzz_TheThresholdIsAlwaysWithinTheSet(uint256 threshold, uint8 size) public {
        uint256 count = bound(size, 0, 32);
        address[] memory set = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            set[i] = address(uint160(i + 1));
        }
        threshold = bound(threshold, 0, 40);
        if (threshold == 0 || threshold > count) {
            vm.expectRevert(abi.encodeWithSelector(ThresholdOutOfRange.selector, threshold, count));
        }
        vm.prank(admin);
        vault.setSigners(set, threshold);
        assertGe(vault.threshold(), 1);
        assertLe(vault.threshold(), vault.signers().length);
    }

    function test_TheSetIsAscendingAndBounded() public {
        address[] memory set = new address[](2);
        set[0] = bob;
        set[1] = bob;
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(SignerSetNotAscending.selector, 1, bob));
        vault.setSigners(set, 1);
        set[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(SignerSetNotAscending.selector, 0, address(0)));
        vault.setSigners(set, 1);
        set = new address[](33);
        vm.expectRevert(abi.encodeWithSelector(TooManySigners.selector, 33, 32));
        vault.setSigners(set, 1);
        vm.stopPrank();
        assertEq(vault.signers(), signerList);
    }

    function test_ASignerMayStayAcrossSets() public {
        address[] memory set = new address[](1);
        set[0] = signerList[1];
        vm.prank(admin);
        vault.setSigners(set, 1);
        assertTrue(vault.isSigner(signerList[1]));
        assertFalse(vault.isSigner(signerList[0]));
    }
}
