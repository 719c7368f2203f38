/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest cannot find by probing: the PCI root with its windows and interrupt routing by
 * the PIIX3's PIRQ registers, the clock, the serial port, soft-off. The addresses are those of
 * pc.h. The power button is fixed hardware. PCI slots from 2 on have names, as cards come and go
 * there.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "VMWIRE", "VMWIREPC", 1)
{
	/* SLP_TYP 0 is soft-off on this chipset. */
	Name (_S5, Package () { 0, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
				IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite, 0x00000000,
					0xC0000000, 0xFEBFFFFF, 0x00000000, 0x3EC00000)
			})

			Device (ISA)
			{
				Name (_ADR, 0x00010000)
				OperationRegion (PIRQ, PCI_Config, 0x60, 0x04)
				Field (PIRQ, ByteAcc, NoLock, Preserve)
				{
					PRQA, 8,
					PRQB, 8,
					PRQC, 8,
					PRQD, 8
				}

				Device (RTC)
				{
					Name (_HID, EisaId ("PNP0B00"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
						IRQNoFlags () { 8 }
					})
				}

				Device (KBD)
				{
					Name (_HID, EisaId ("PNP0303"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
						IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
						IRQNoFlags () { 1 }
					})
				}

				Device (MOU)
				{
					Name (_HID, EisaId ("PNP0F13"))
					Name (_CRS, ResourceTemplate ()
					{
						IRQNoFlags () { 12 }
					})
				}

				Device (COM1)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, 1)
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
						IRQNoFlags () { 4 }
					})
				}

				/* The configuration device, fw_cfg.c. */
				Device (FWCF)
				{
					Name (_HID, "QEMU0002")
					Name (_STA, 0x0B)
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0510, 0x0510, 0x01, 0x0C)
					})
				}
			}

			/* Slot and pin: PIRQ line (slot + pin - 1) & 3, pins counted from 1. */
			Name (_PRT, Package ()
			{
				Package () { 0x0001FFFF, 0, LNKB, 0 },
				Package () { 0x0001FFFF, 1, LNKC, 0 },
				Package () { 0x0001FFFF, 2, LNKD, 0 },
				Package () { 0x0001FFFF, 3, LNKA, 0 },
				Package () { 0x0002FFFF, 0, LNKC, 0 },
				Package () { 0x0002FFFF, 1, LNKD, 0 },
				Package () { 0x0002FFFF, 2, LNKA, 0 },
				Package () { 0x0002FFFF, 3, LNKB, 0 },
				Package () { 0x0003FFFF, 0, LNKD, 0 },
				Package () { 0x0003FFFF, 1, LNKA, 0 },
				Package () { 0x0003FFFF, 2, LNKB, 0 },
				Package () { 0x0003FFFF, 3, LNKC, 0 },
				Package () { 0x0004FFFF, 0, LNKA, 0 },
				Package () { 0x0004FFFF, 1, LNKB, 0 },
				Package () { 0x0004FFFF, 2, LNKC, 0 },
				Package () { 0x0004FFFF, 3, LNKD, 0 },
				Package () { 0x0005FFFF, 0, LNKB, 0 },
				Package () { 0x0005FFFF, 1, LNKC, 0 },
				Package () { 0x0005FFFF, 2, LNKD, 0 },
				Package () { 0x0005FFFF, 3, LNKA, 0 },
				Package () { 0x0006FFFF, 0, LNKC, 0 },
				Package () { 0x0006FFFF, 1, LNKD, 0 },
				Package () { 0x0006FFFF, 2, LNKA, 0 },
				Package () { 0x0006FFFF, 3, LNKB, 0 },
				Package () { 0x0007FFFF, 0, LNKD, 0 },
				Package () { 0x0007FFFF, 1, LNKA, 0 },
				Package () { 0x0007FFFF, 2, LNKB, 0 },
				Package () { 0x0007FFFF, 3, LNKC, 0 },
				Package () { 0x0008FFFF, 0, LNKA, 0 },
				Package () { 0x0008FFFF, 1, LNKB, 0 },
				Package () { 0x0008FFFF, 2, LNKC, 0 },
				Package () { 0x0008FFFF, 3, LNKD, 0 },
				Package () { 0x0009FFFF, 0, LNKB, 0 },
				Package () { 0x0009FFFF, 1, LNKC, 0 },
				Package () { 0x0009FFFF, 2, LNKD, 0 },
				Package () { 0x0009FFFF, 3, LNKA, 0 },
				Package () { 0x000AFFFF, 0, LNKC, 0 },
				Package () { 0x000AFFFF, 1, LNKD, 0 },
				Package () { 0x000AFFFF, 2, LNKA, 0 },
				Package () { 0x000AFFFF, 3, LNKB, 0 },
				Package () { 0x000BFFFF, 0, LNKD, 0 },
				Package () { 0x000BFFFF, 1, LNKA, 0 },
				Package () { 0x000BFFFF, 2, LNKB, 0 },
				Package () { 0x000BFFFF, 3, LNKC, 0 },
				Package () { 0x000CFFFF, 0, LNKA, 0 },
				Package () { 0x000CFFFF, 1, LNKB, 0 },
				Package () { 0x000CFFFF, 2, LNKC, 0 },
				Package () { 0x000CFFFF, 3, LNKD, 0 },
				Package () { 0x000DFFFF, 0, LNKB, 0 },
				Package () { 0x000DFFFF, 1, LNKC, 0 },
				Package () { 0x000DFFFF, 2, LNKD, 0 },
				Package () { 0x000DFFFF, 3, LNKA, 0 },
				Package () { 0x000EFFFF, 0, LNKC, 0 },
				Package () { 0x000EFFFF, 1, LNKD, 0 },
				Package () { 0x000EFFFF, 2, LNKA, 0 },
				Package () { 0x000EFFFF, 3, LNKB, 0 },
				Package () { 0x000FFFFF, 0, LNKD, 0 },
				Package () { 0x000FFFFF, 1, LNKA, 0 },
				Package () { 0x000FFFFF, 2, LNKB, 0 },
				Package () { 0x000FFFFF, 3, LNKC, 0 },
				Package () { 0x0010FFFF, 0, LNKA, 0 },
				Package () { 0x0010FFFF, 1, LNKB, 0 },
				Package () { 0x0010FFFF, 2, LNKC, 0 },
				Package () { 0x0010FFFF, 3, LNKD, 0 },
				Package () { 0x0011FFFF, 0, LNKB, 0 },
				Package () { 0x0011FFFF, 1, LNKC, 0 },
				Package () { 0x0011FFFF, 2, LNKD, 0 },
				Package () { 0x0011FFFF, 3, LNKA, 0 },
				Package () { 0x0012FFFF, 0, LNKC, 0 },
				Package () { 0x0012FFFF, 1, LNKD, 0 },
				Package () { 0x0012FFFF, 2, LNKA, 0 },
				Package () { 0x0012FFFF, 3, LNKB, 0 },
				Package () { 0x0013FFFF, 0, LNKD, 0 },
				Package () { 0x0013FFFF, 1, LNKA, 0 },
				Package () { 0x0013FFFF, 2, LNKB, 0 },
				Package () { 0x0013FFFF, 3, LNKC, 0 },
				Package () { 0x0014FFFF, 0, LNKA, 0 },
				Package () { 0x0014FFFF, 1, LNKB, 0 },
				Package () { 0x0014FFFF, 2, LNKC, 0 },
				Package () { 0x0014FFFF, 3, LNKD, 0 },
				Package () { 0x0015FFFF, 0, LNKB, 0 },
				Package () { 0x0015FFFF, 1, LNKC, 0 },
				Package () { 0x0015FFFF, 2, LNKD, 0 },
				Package () { 0x0015FFFF, 3, LNKA, 0 },
				Package () { 0x0016FFFF, 0, LNKC, 0 },
				Package () { 0x0016FFFF, 1, LNKD, 0 },
				Package () { 0x0016FFFF, 2, LNKA, 0 },
				Package () { 0x0016FFFF, 3, LNKB, 0 },
				Package () { 0x0017FFFF, 0, LNKD, 0 },
				Package () { 0x0017FFFF, 1, LNKA, 0 },
				Package () { 0x0017FFFF, 2, LNKB, 0 },
				Package () { 0x0017FFFF, 3, LNKC, 0 },
				Package () { 0x0018FFFF, 0, LNKA, 0 },
				Package () { 0x0018FFFF, 1, LNKB, 0 },
				Package () { 0x0018FFFF, 2, LNKC, 0 },
				Package () { 0x0018FFFF, 3, LNKD, 0 },
				Package () { 0x0019FFFF, 0, LNKB, 0 },
				Package () { 0x0019FFFF, 1, LNKC, 0 },
				Package () { 0x0019FFFF, 2, LNKD, 0 },
				Package () { 0x0019FFFF, 3, LNKA, 0 },
				Package () { 0x001AFFFF, 0, LNKC, 0 },
				Package () { 0x001AFFFF, 1, LNKD, 0 },
				Package () { 0x001AFFFF, 2, LNKA, 0 },
				Package () { 0x001AFFFF, 3, LNKB, 0 },
				Package () { 0x001BFFFF, 0, LNKD, 0 },
				Package () { 0x001BFFFF, 1, LNKA, 0 },
				Package () { 0x001BFFFF, 2, LNKB, 0 },
				Package () { 0x001BFFFF, 3, LNKC, 0 },
				Package () { 0x001CFFFF, 0, LNKA, 0 },
				Package () { 0x001CFFFF, 1, LNKB, 0 },
				Package () { 0x001CFFFF, 2, LNKC, 0 },
				Package () { 0x001CFFFF, 3, LNKD, 0 },
				Package () { 0x001DFFFF, 0, LNKB, 0 },
				Package () { 0x001DFFFF, 1, LNKC, 0 },
				Package () { 0x001DFFFF, 2, LNKD, 0 },
				Package () { 0x001DFFFF, 3, LNKA, 0 },
				Package () { 0x001EFFFF, 0, LNKC, 0 },
				Package () { 0x001EFFFF, 1, LNKD, 0 },
				Package () { 0x001EFFFF, 2, LNKA, 0 },
				Package () { 0x001EFFFF, 3, LNKB, 0 },
				Package () { 0x001FFFFF, 0, LNKD, 0 },
				Package () { 0x001FFFFF, 1, LNKA, 0 },
				Package () { 0x001FFFFF, 2, LNKB, 0 },
				Package () { 0x001FFFFF, 3, LNKC, 0 }
			})
		}

		/* Present; enabled while the register's top bit is clear. */
		Method (PSTA, 1)
		{
			If (Arg0 & 0x80)
			{
				Return (0x09)
			}
			Return (0x0B)
		}

		Name (BUFF, ResourceTemplate ()
		{
			Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 0 }
		})
		CreateDWordField (BUFF, 0x05, IRQW)

		/* An interrupt number of 0 says: none routed. */
		Method (PCRS, 1, Serialized)
		{
			IRQW = 0
			If (!(Arg0 & 0x80))
			{
				IRQW = Arg0
			}
			Return (BUFF)
		}

		/* PIRQA */
		Device (LNKA)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 0)
			Name (_PRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
			})
			Method (_STA) { Return (PSTA (\_SB.PCI0.ISA.PRQA)) }
			Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQA |= 0x80 }
			Method (_CRS) { Return (PCRS (\_SB.PCI0.ISA.PRQA)) }
			Method (_SRS, 1, Serialized)
			{
				CreateDWordField (Arg0, 0x05, WANT)
				\_SB.PCI0.ISA.PRQA = WANT
			}
		}

		/* PIRQB */
		Device (LNKB)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 1)
			Name (_PRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
			})
			Method (_STA) { Return (PSTA (\_SB.PCI0.ISA.PRQB)) }
			Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQB |= 0x80 }
			Method (_CRS) { Return (PCRS (\_SB.PCI0.ISA.PRQB)) }
			Method (_SRS, 1, Serialized)
			{
				CreateDWordField (Arg0, 0x05, WANT)
				\_SB.PCI0.ISA.PRQB = WANT
			}
		}

		/* PIRQC */
		Device (LNKC)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 2)
			Name (_PRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
			})
			Method (_STA) { Return (PSTA (\_SB.PCI0.ISA.PRQC)) }
			Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQC |= 0x80 }
			Method (_CRS) { Return (PCRS (\_SB.PCI0.ISA.PRQC)) }
			Method (_SRS, 1, Serialized)
			{
				CreateDWordField (Arg0, 0x05, WANT)
				\_SB.PCI0.ISA.PRQC = WANT
			}
		}

		/* PIRQD */
		Device (LNKD)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 3)
			Name (_PRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
			})
			Method (_STA) { Return (PSTA (\_SB.PCI0.ISA.PRQD)) }
			Method (_DIS, 0, Serialized) { \_SB.PCI0.ISA.PRQD |= 0x80 }
			Method (_CRS) { Return (PCRS (\_SB.PCI0.ISA.PRQD)) }
			Method (_SRS, 1, Serialized)
			{
				CreateDWordField (Arg0, 0x05, WANT)
				\_SB.PCI0.ISA.PRQD = WANT
			}
		}
	}

	/* Hot-plug: hotplug.c has the ports. */
	Scope (\_SB.PCI0)
	{
		OperationRegion (HPRG, SystemIO, 0xAE00, 0x10)
		Field (HPRG, DWordAcc, NoLock, WriteAsZeros)
		{
			HPUP, 32,
			HPDN, 32,
			HPEJ, 32
		}

		/* So that no card's ports are put there. */
		Device (HPRS)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0xAE00, 0xAE00, 0x01, 0x10)
			})
		}

		Device (S02) { Name (_ADR, 0x20000) Name (_SUN, 2) Method (_EJ0, 1) { HPEJ = 1 << 2 } }
		Device (S03) { Name (_ADR, 0x30000) Name (_SUN, 3) Method (_EJ0, 1) { HPEJ = 1 << 3 } }
		Device (S04) { Name (_ADR, 0x40000) Name (_SUN, 4) Method (_EJ0, 1) { HPEJ = 1 << 4 } }
		Device (S05) { Name (_ADR, 0x50000) Name (_SUN, 5) Method (_EJ0, 1) { HPEJ = 1 << 5 } }
		Device (S06) { Name (_ADR, 0x60000) Name (_SUN, 6) Method (_EJ0, 1) { HPEJ = 1 << 6 } }
		Device (S07) { Name (_ADR, 0x70000) Name (_SUN, 7) Method (_EJ0, 1) { HPEJ = 1 << 7 } }
		Device (S08) { Name (_ADR, 0x80000) Name (_SUN, 8) Method (_EJ0, 1) { HPEJ = 1 << 8 } }
		Device (S09) { Name (_ADR, 0x90000) Name (_SUN, 9) Method (_EJ0, 1) { HPEJ = 1 << 9 } }
		Device (S0A) { Name (_ADR, 0xA0000) Name (_SUN, 10) Method (_EJ0, 1) { HPEJ = 1 << 10 } }
		Device (S0B) { Name (_ADR, 0xB0000) Name (_SUN, 11) Method (_EJ0, 1) { HPEJ = 1 << 11 } }
		Device (S0C) { Name (_ADR, 0xC0000) Name (_SUN, 12) Method (_EJ0, 1) { HPEJ = 1 << 12 } }
		Device (S0D) { Name (_ADR, 0xD0000) Name (_SUN, 13) Method (_EJ0, 1) { HPEJ = 1 << 13 } }
		Device (S0E) { Name (_ADR, 0xE0000) Name (_SUN, 14) Method (_EJ0, 1) { HPEJ = 1 << 14 } }
		Device (S0F) { Name (_ADR, 0xF0000) Name (_SUN, 15) Method (_EJ0, 1) { HPEJ = 1 << 15 } }
		Device (S10) { Name (_ADR, 0x100000) Name (_SUN, 16) Method (_EJ0, 1) { HPEJ = 1 << 16 } }
		Device (S11) { Name (_ADR, 0x110000) Name (_SUN, 17) Method (_EJ0, 1) { HPEJ = 1 << 17 } }
		Device (S12) { Name (_ADR, 0x120000) Name (_SUN, 18) Method (_EJ0, 1) { HPEJ = 1 << 18 } }
		Device (S13) { Name (_ADR, 0x130000) Name (_SUN, 19) Method (_EJ0, 1) { HPEJ = 1 << 19 } }
		Device (S14) { Name (_ADR, 0x140000) Name (_SUN, 20) Method (_EJ0, 1) { HPEJ = 1 << 20 } }
		Device (S15) { Name (_ADR, 0x150000) Name (_SUN, 21) Method (_EJ0, 1) { HPEJ = 1 << 21 } }
		Device (S16) { Name (_ADR, 0x160000) Name (_SUN, 22) Method (_EJ0, 1) { HPEJ = 1 << 22 } }
		Device (S17) { Name (_ADR, 0x170000) Name (_SUN, 23) Method (_EJ0, 1) { HPEJ = 1 << 23 } }
		Device (S18) { Name (_ADR, 0x180000) Name (_SUN, 24) Method (_EJ0, 1) { HPEJ = 1 << 24 } }
		Device (S19) { Name (_ADR, 0x190000) Name (_SUN, 25) Method (_EJ0, 1) { HPEJ = 1 << 25 } }
		Device (S1A) { Name (_ADR, 0x1A0000) Name (_SUN, 26) Method (_EJ0, 1) { HPEJ = 1 << 26 } }
		Device (S1B) { Name (_ADR, 0x1B0000) Name (_SUN, 27) Method (_EJ0, 1) { HPEJ = 1 << 27 } }
		Device (S1C) { Name (_ADR, 0x1C0000) Name (_SUN, 28) Method (_EJ0, 1) { HPEJ = 1 << 28 } }
		Device (S1D) { Name (_ADR, 0x1D0000) Name (_SUN, 29) Method (_EJ0, 1) { HPEJ = 1 << 29 } }
		Device (S1E) { Name (_ADR, 0x1E0000) Name (_SUN, 30) Method (_EJ0, 1) { HPEJ = 1 << 30 } }
		Device (S1F) { Name (_ADR, 0x1F0000) Name (_SUN, 31) Method (_EJ0, 1) { HPEJ = 1 << 31 } }

		/* Slots (a bit each), notification: 1 is a new card, 3 a request to eject. */
		Method (HPNT, 2)
		{
			If (Arg0 & (1 << 2)) { Notify (S02, Arg1) }
			If (Arg0 & (1 << 3)) { Notify (S03, Arg1) }
			If (Arg0 & (1 << 4)) { Notify (S04, Arg1) }
			If (Arg0 & (1 << 5)) { Notify (S05, Arg1) }
			If (Arg0 & (1 << 6)) { Notify (S06, Arg1) }
			If (Arg0 & (1 << 7)) { Notify (S07, Arg1) }
			If (Arg0 & (1 << 8)) { Notify (S08, Arg1) }
			If (Arg0 & (1 << 9)) { Notify (S09, Arg1) }
			If (Arg0 & (1 << 10)) { Notify (S0A, Arg1) }
			If (Arg0 & (1 << 11)) { Notify (S0B, Arg1) }
			If (Arg0 & (1 << 12)) { Notify (S0C, Arg1) }
			If (Arg0 & (1 << 13)) { Notify (S0D, Arg1) }
			If (Arg0 & (1 << 14)) { Notify (S0E, Arg1) }
			If (Arg0 & (1 << 15)) { Notify (S0F, Arg1) }
			If (Arg0 & (1 << 16)) { Notify (S10, Arg1) }
			If (Arg0 & (1 << 17)) { Notify (S11, Arg1) }
			If (Arg0 & (1 << 18)) { Notify (S12, Arg1) }
			If (Arg0 & (1 << 19)) { Notify (S13, Arg1) }
			If (Arg0 & (1 << 20)) { Notify (S14, Arg1) }
			If (Arg0 & (1 << 21)) { Notify (S15, Arg1) }
			If (Arg0 & (1 << 22)) { Notify (S16, Arg1) }
			If (Arg0 & (1 << 23)) { Notify (S17, Arg1) }
			If (Arg0 & (1 << 24)) { Notify (S18, Arg1) }
			If (Arg0 & (1 << 25)) { Notify (S19, Arg1) }
			If (Arg0 & (1 << 26)) { Notify (S1A, Arg1) }
			If (Arg0 & (1 << 27)) { Notify (S1B, Arg1) }
			If (Arg0 & (1 << 28)) { Notify (S1C, Arg1) }
			If (Arg0 & (1 << 29)) { Notify (S1D, Arg1) }
			If (Arg0 & (1 << 30)) { Notify (S1E, Arg1) }
			If (Arg0 & (1 << 31)) { Notify (S1F, Arg1) }
		}
	}

	/* The event's status stands until both are read: level. */
	Scope (\_GPE)
	{
		Method (_L01)
		{
			\_SB.PCI0.HPNT (\_SB.PCI0.HPUP, 1)
			\_SB.PCI0.HPNT (\_SB.PCI0.HPDN, 3)
		}
	}
}
