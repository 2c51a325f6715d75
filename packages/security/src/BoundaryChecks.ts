/** Every boundary check of this package, by category. A new leaf is a file in `checks/` and a line here. */
import type { BoundaryCheck } from "./BoundaryCheck.ts"
import type { WeakeningName } from "./Weakening.ts"
import { capBounding } from "./checks/CapBounding.ts"
import { capChroot } from "./checks/CapChroot.ts"
import { capEffective } from "./checks/CapEffective.ts"
import { devNodes } from "./checks/DevNodes.ts"
import { fsHostMount } from "./checks/FsHostMount.ts"
import { fsPseudoHost } from "./checks/FsPseudoHost.ts"
import { fsRootReadOnly } from "./checks/FsRootReadOnly.ts"
import { fsRuntimeSocket } from "./checks/FsRuntimeSocket.ts"
import { fsTmpfsFlags } from "./checks/FsTmpfsFlags.ts"
import { fsWritableSet } from "./checks/FsWritableSet.ts"
import { idGroups } from "./checks/IdGroups.ts"
import { idNoNewPrivileges } from "./checks/IdNoNewPrivileges.ts"
import { idNonroot } from "./checks/IdNonroot.ts"
import { krnAio } from "./checks/KrnAio.ts"
import { krnBpf } from "./checks/KrnBpf.ts"
import { krnClone3 } from "./checks/KrnClone3.ts"
import { krnHandle } from "./checks/KrnHandle.ts"
import { krnIoUring } from "./checks/KrnIoUring.ts"
import { krnKeyring } from "./checks/KrnKeyring.ts"
import { krnModule } from "./checks/KrnModule.ts"
import { krnMount } from "./checks/KrnMount.ts"
import { krnPerf } from "./checks/KrnPerf.ts"
import { krnProcessMemory } from "./checks/KrnProcessMemory.ts"
import { krnReboot } from "./checks/KrnReboot.ts"
import { krnSeccompEffect } from "./checks/KrnSeccompEffect.ts"
import { krnSeccompMode } from "./checks/KrnSeccompMode.ts"
import { krnSocketFamilies } from "./checks/KrnSocketFamilies.ts"
import { krnTime } from "./checks/KrnTime.ts"
import { krnUserfaultfd } from "./checks/KrnUserfaultfd.ts"
import { krnUsernsCreate } from "./checks/KrnUsernsCreate.ts"
import { netEgressTcp } from "./checks/NetEgressTcp.ts"
import { netEgressUdp } from "./checks/NetEgressUdp.ts"
import { netInterfaces } from "./checks/NetInterfaces.ts"
import { netMetadata } from "./checks/NetMetadata.ts"
import { netRawSocket } from "./checks/NetRawSocket.ts"
import { netRoute } from "./checks/NetRoute.ts"
import { nsCgroup } from "./checks/NsCgroup.ts"
import { nsIpc } from "./checks/NsIpc.ts"
import { nsNet } from "./checks/NsNet.ts"
import { nsPid } from "./checks/NsPid.ts"
import { nsUser } from "./checks/NsUser.ts"
import { nsUts } from "./checks/NsUts.ts"
import { posInit } from "./checks/PosInit.ts"
import { posIpcJoin } from "./checks/PosIpcJoin.ts"
import { posLog } from "./checks/PosLog.ts"
import { posRestart } from "./checks/PosRestart.ts"
import { procMask } from "./checks/ProcMask.ts"
import { procReadOnly } from "./checks/ProcReadOnly.ts"
import { procSignal } from "./checks/ProcSignal.ts"
import { resCore } from "./checks/ResCore.ts"
import { resCpu } from "./checks/ResCpu.ts"
import { resMemory } from "./checks/ResMemory.ts"
import { resOomKill } from "./checks/ResOomKill.ts"
import { resOpenFiles } from "./checks/ResOpenFiles.ts"
import { resPids } from "./checks/ResPids.ts"
import { resShm } from "./checks/ResShm.ts"
import { resSwap } from "./checks/ResSwap.ts"
import { sysReadOnly } from "./checks/SysReadOnly.ts"

export const boundaryChecks: ReadonlyArray<BoundaryCheck> = [
  devNodes,
  krnAio,
  krnBpf,
  krnClone3,
  krnIoUring,
  krnKeyring,
  krnPerf,
  krnSeccompEffect,
  krnSeccompMode,
  krnUserfaultfd,
  nsCgroup,
  nsIpc,
  nsUts,
  posIpcJoin,
  fsHostMount,
  fsPseudoHost,
  fsRootReadOnly,
  fsRuntimeSocket,
  fsTmpfsFlags,
  fsWritableSet,
  krnHandle,
  procMask,
  procReadOnly,
  sysReadOnly,
  krnSocketFamilies,
  netEgressTcp,
  netEgressUdp,
  netInterfaces,
  netMetadata,
  netRawSocket,
  netRoute,
  nsNet,
  krnProcessMemory,
  nsPid,
  posInit,
  posRestart,
  procSignal,
  posLog,
  resCore,
  resCpu,
  resMemory,
  resOomKill,
  resOpenFiles,
  resPids,
  resShm,
  resSwap,
  capBounding,
  capChroot,
  capEffective,
  idGroups,
  idNoNewPrivileges,
  idNonroot,
  krnModule,
  krnMount,
  krnReboot,
  krnTime,
  krnUsernsCreate,
  nsUser
]

/** The check with this id. */
export const boundaryCheck = (id: string): BoundaryCheck | undefined => boundaryChecks.find((check) => check.id === id)

/** The checks that must report this weakening. */
export const checksOf = (weakening: WeakeningName): ReadonlyArray<BoundaryCheck> =>
  boundaryChecks.filter((check) => check.weakenings.includes(weakening))
