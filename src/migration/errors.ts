/** Why nothing was moved: what is there, at one end or the other, is not as a move needs it. Both ends are as they were. */
export class MoveRefused extends Error {
  override name = 'MoveRefused';
}
