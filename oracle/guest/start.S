# SPDX-License-Identifier: MIT OR Apache-2.0
# Where the program begins, and the two things that C cannot say.
	.section .text.start, "ax"
	.globl _start
_start:
	j main_program

	.text
	.globl system_call
system_call:
	mv a7, a6
	ecall
	ret

	.globl clone_onto
clone_onto:
	addi a1, a1, -16
	sd a2, 0(a1)
	sd a3, 8(a1)
	li a2, 0
	li a3, 0
	li a4, 0
	li a7, 220
	ecall
	bnez a0, 1f
	ld t0, 0(sp)
	ld a0, 8(sp)
	addi sp, sp, 16
	jalr t0
1:	ret
