# SPDX-License-Identifier: MIT OR Apache-2.0
# Where the program begins, and the three things that C cannot say.
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

# Waits while *a0 is not 0, with 1 behind it, and goes on with the registers that are in memory at a1 then: they may be of
# another time than this.
	.globl stand_still
stand_still:
	sd ra, 0(a1)
	sd sp, 8(a1)
	sd gp, 16(a1)
	sd tp, 24(a1)
	sd s0, 32(a1)
	sd s1, 40(a1)
	sd s2, 48(a1)
	sd s3, 56(a1)
	sd s4, 64(a1)
	sd s5, 72(a1)
	sd s6, 80(a1)
	sd s7, 88(a1)
	sd s8, 96(a1)
	sd s9, 104(a1)
	sd s10, 112(a1)
	sd s11, 120(a1)
	fence
	li t0, 1
	sd t0, 8(a0)
1:	ld t0, 0(a0)
	bnez t0, 1b
	fence
	sd zero, 8(a0)
	ld ra, 0(a1)
	ld sp, 8(a1)
	ld gp, 16(a1)
	ld tp, 24(a1)
	ld s0, 32(a1)
	ld s1, 40(a1)
	ld s2, 48(a1)
	ld s3, 56(a1)
	ld s4, 64(a1)
	ld s5, 72(a1)
	ld s6, 80(a1)
	ld s7, 88(a1)
	ld s8, 96(a1)
	ld s9, 104(a1)
	ld s10, 112(a1)
	ld s11, 120(a1)
	ret
