/** What a picture of this engine's runs shows: which messages say nothing new, which roles tell of another leader, and which words can be spared. */
export default {
  name: 'viewstamped',
  hidden: /^COMMIT/,
  roles: /view-change|primary/,
  spare: / lastNormal \d+ op \d+ commit \d+|^SUSPECT view \d+, /g,
}
